"""The page of all results, in one file that needs no network: what `make report` runs.

python -m experiments.report.page [--results results]
"""

import argparse
import base64
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.backends.backend_svg import FigureCanvasSVG

from experiments.analysis.breakdown import BreakdownError
from experiments.analysis.scaling import NoTrialsError
from experiments.report.charts import STYLE, Chart
from experiments.report.results import Results
from experiments.report.sections import Content, Section, reportable, sections_of
from experiments.report.tables import Table
from experiments.store.columns import OK

TEMPLATES = Path(__file__).parent / "templates"
INLINE = {"svg.fonttype": "none"}  # text stays text
PHOTO_DPI = 110
PIXELS_PER_POINT = 1.4
ANSWER = "advise-recommendation-table"  # the name of the table that the page begins with


@dataclass(frozen=True)
class Shown:
    """A table or a chart on the page."""

    name: str  # of the file that holds its data
    content: Table | Chart

    @property
    def is_chart(self) -> bool:
        """Return whether it is a chart."""
        return isinstance(self.content, Chart)

    @property
    def key(self) -> str:
        """Return what tells it apart in its chapter: the name of a chart, the text of a table."""
        return self.name if isinstance(self.content, Chart) else self.content.text()

    @property
    def csv(self) -> str:
        """Return its numbers as an address that needs no request."""
        return "data:text/csv;charset=utf-8," + quote(self.content.data.to_csv(index=False))

    @cached_property
    def picture(self) -> str:
        """Return the chart as SVG that stands in the page; photos as an image of their own."""
        assert isinstance(self.content, Chart)
        return photo(self.content) if self.content.shows_photos else svg(self.content)


@dataclass
class Chapter:
    """A chapter of the page; `words` stand below its heading."""

    heading: str
    words: str
    shown: dict[str, Shown] = field(default_factory=dict)  # by its key


def chapters(results: Results) -> tuple[list[Chapter], list[str]]:
    """Return the chapters with all that the sections show, in their order, and why something is not shown.
    A table that several experiments have in common, such as the environment, stands once in its chapter."""
    by_heading: dict[str, Chapter] = {}
    reasons = []
    for section, experiment in _sections(results):
        chapter = by_heading.setdefault(section.chapter, Chapter(section.chapter, section.words))
        try:
            for stem, content in section.show(results.beside(experiment)):
                for shown in _shown(experiment, stem, content):
                    chapter.shown.setdefault(shown.key, shown)
        except (NoTrialsError, BreakdownError, OSError) as error:
            reasons.append(f"{experiment}: no {section.name}: {error}")
    return [chapter for chapter in by_heading.values() if chapter.shown], reasons


def _sections(results: Results) -> list[tuple[Section, str]]:
    """Return each section with its experiment, in the order of the page."""
    experiments = reportable(results.folder)
    pairs = [(section, experiment) for experiment in experiments for section in sections_of(experiment)]
    return sorted(pairs, key=lambda pair: pair[0].order)


def _shown(experiment: str, stem: str, content: Content) -> Iterator[Shown]:
    if isinstance(content, Chart):
        yield Shown(f"{experiment}-{stem}", content)
    elif not isinstance(content, pd.DataFrame):
        for number, table in enumerate(content):
            yield Shown(f"{experiment}-{stem}{f'-{number + 1}' if number else ''}-table", table)


def answer(chapters: Sequence[Chapter]) -> Mapping[str, object] | None:
    """Return the row of the recommendation; None where there was no search."""
    tables = (
        shown.content for chapter in chapters for shown in chapter.shown.values() if shown.name == ANSWER
    )
    row = next((table.data.iloc[0] for table in tables), None)
    return None if row is None else {str(name): value for name, value in row.items()}


def missing(results: Results) -> list[dict[Any, Any]]:
    """Return the cells of each newest sweep's plan that lack trials."""
    return [
        row
        for name in _experiments(results, "plans")
        for row in results.beside(name).missing.to_dict("records")
    ]


def commands(trials: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the command of every cell, with how many of its trials were ok."""
    cells = trials.assign(ok=trials["status"] == OK).groupby(["experiment", "cell"], sort=False)
    counted = cells.agg(
        strategy=("strategy", "first"),
        workers=("workers", "first"),
        ok=("ok", "sum"),
        trials=("ok", "size"),
        command=("command", "last"),
    )
    return counted.reset_index().to_dict("records")


def _experiments(results: Results, table: str) -> list[str]:
    return [path.name for path in sorted(results.folder.glob(f"{table}/*")) if path.is_dir()]


def svg(chart: Chart) -> str:
    """Return a chart as an element of the page: on the page's own ground, without a size of its own, and of
    its ids with those that it refers to."""
    file, canvas = io.StringIO(), FigureCanvasSVG(chart.figure)
    chart.figure.patch.set_visible(False)
    for axes in chart.figure.axes:
        axes.patch.set_visible(False)
    with mpl.rc_context(STYLE | INLINE):  # not savefig, which draws everything twice
        canvas.print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call]
    text = file.getvalue()
    text = text[text.index("<svg") :]
    head, _, rest = text.partition(">")
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', head)
    assert box
    width = f'style="max-width: {PIXELS_PER_POINT * float(box[1]):.0f}px"'  # letters as large in all charts
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', rest))
    rest = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", rest)
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box[0]} {width} aria-hidden="true">{rest}'


def photo(chart: Chart) -> str:
    """Return a chart of photos as an image element."""
    file = io.BytesIO()
    with mpl.rc_context(STYLE):
        chart.figure.savefig(
            file, format="jpeg", dpi=PHOTO_DPI, pil_kwargs={"quality": 80}, facecolor="white"
        )
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}">'


def page(folder: Path) -> str:
    """Return the page of a folder of results. Raises NoTrialsError if nothing was measured."""
    results = Results(folder, "advise")  # any experiment: all others are beside it
    rows = [results.beside(name).trials for name in _experiments(results, "trials")]
    trials = pd.concat(rows).sort_values("started_at") if rows else pd.DataFrame()
    if trials.empty:
        raise NoTrialsError(
            f"{folder}/trials: no results yet; `make advise` or `make strong-scaling` makes some"
        )
    shown, reasons = chapters(results)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html").render(
        answer=answer(shown),
        chapters=shown,
        reasons=reasons,
        missing=missing(results),
        commands=commands(trials),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write report/index.html below the results, and print where."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report.page", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    folder = parser.parse_args(arguments).results
    try:
        text = page(folder)
    except (NoTrialsError, OSError) as error:
        raise SystemExit(str(error)) from error
    path = folder / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    print(path)


if __name__ == "__main__":
    main()
