"""Builds the page from what the sections show: `Side` is one folder of results, of which a page has one or
two."""

import base64
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from experiments.records.schema import OK
from experiments.report.html.chapters import CHAPTERS, OTHERS, Chapter
from experiments.report.results import Results
from experiments.report.sections import Content, reportable, sections_of
from experiments.report.style import STYLE, Chart
from experiments.report.tables import Table

TEMPLATES = Path(__file__).parent / "templates"
INLINE = {"svg.fonttype": "none"}  # text stays text
PHOTO_DPI = 110
PIXELS_PER_POINT = 1.4
Key = tuple[str, str]  # experiment, stem


@dataclass(frozen=True)
class Shown:
    """A table or a chart on the page."""

    name: str  # of the file that holds its data
    content: Table | Chart

    @property
    def is_chart(self) -> bool:
        return isinstance(self.content, Chart)

    @property
    def csv(self) -> str:
        """Its numbers, as an address that needs no request."""
        return "data:text/csv;charset=utf-8," + quote(self.content.data.to_csv(index=False))

    @cached_property
    def picture(self) -> str:
        """The chart as SVG that stands in the page; photos as an image of their own."""
        assert isinstance(self.content, Chart)
        return photo(self.content) if self.content.shows_photos else svg(self.content)


@dataclass(frozen=True)
class Side:
    """One folder of results: what there is to show of it, by chapter."""

    folder: Path

    @cached_property
    def results(self) -> Results:
        """Of any experiment: beside it are all others."""
        return Results(self.folder, "advise")

    @cached_property
    def _collected(self) -> tuple[dict[Key, list[Shown]], list[str]]:
        """All that the sections show, and what they cannot and why."""
        shown: dict[Key, list[Shown]] = {}
        reasons = []
        for experiment in reportable(self.folder):
            results = self.results.beside(experiment)
            for section in sections_of(experiment):
                try:
                    for stem, content in section.show(results):
                        shown.setdefault((experiment, stem), []).extend(_shown(experiment, stem, content))
                except (NoTrialsError, BreakdownError, OSError) as error:
                    reasons.append(f"{experiment}: no {section.name}: {error}")
        return shown, reasons

    @property
    def contents(self) -> dict[Key, list[Shown]]:
        """What there is to show, by experiment and stem."""
        return self._collected[0]

    @property
    def reasons(self) -> list[str]:
        """Why something is not shown."""
        return self._collected[1]

    def of(self, chapter: Chapter) -> list[Shown]:
        """What a chapter shows; of any experiment the one measured last."""
        keys = [self._key(*key) for key in chapter.shown]
        return [each for key in dict.fromkeys(keys) for each in self.contents.get(key, [])]

    def _key(self, experiment: str, stem: str) -> Key:
        if experiment != "*":
            return experiment, stem
        have = [name for name, each in self.contents if each == stem]
        return max(have, key=self._newest, default=experiment), stem

    def _newest(self, experiment: str) -> str:
        trials = self.trials[self.trials["experiment"] == experiment]
        return str(trials["started_at"].max()) if len(trials) else ""

    @cached_property
    def others(self) -> list[Shown]:
        """What no chapter shows."""
        told = {key[1] if key[0] == "*" else key for chapter in CHAPTERS for key in chapter.shown}
        items = self.contents.items()
        return [each for key, shown in items if key not in told and key[1] not in told for each in shown]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The rows of every experiment, oldest first."""
        names = [path.name for path in sorted(self.folder.glob("trials/*")) if path.is_dir()]
        frames = [self.results.beside(name).trials for name in names]
        return pd.concat(frames).sort_values("started_at") if frames else pd.DataFrame()

    @cached_property
    def missing(self) -> list[dict[Any, Any]]:
        """Cells of a sweep's plan that are not all measured."""
        names = [path.name for path in sorted(self.folder.glob("plans/*")) if path.is_dir()]
        return [row for name in names for row in self.results.beside(name).missing.to_dict("records")]

    @cached_property
    def commands(self) -> list[dict[Any, Any]]:
        """The command of every cell, with what came of it."""
        if self.trials.empty:
            return []
        cells = self.trials.assign(ok=self.trials["status"] == OK).groupby(["experiment", "cell"], sort=False)
        counted = cells.agg(
            strategy=("strategy", "first"),
            workers=("workers", "first"),
            ok=("ok", "sum"),
            trials=("ok", "size"),
            command=("command", "last"),
        )
        return counted.reset_index().to_dict("records")

    @property
    def answer(self) -> Mapping[str, object] | None:
        """The row of the recommendation; None where there was no search."""
        for each in self.contents.get(("advise", "recommendation"), []):
            return {str(name): value for name, value in each.content.data.iloc[0].items()}
        return None


def _shown(experiment: str, stem: str, content: Content) -> Iterator[Shown]:
    if isinstance(content, Chart):
        yield Shown(f"{experiment}-{stem}", content)
    elif not isinstance(content, pd.DataFrame):
        for number, table in enumerate(content):
            yield Shown(f"{experiment}-{stem}{f'-{number + 1}' if number else ''}-table", table)


def svg(chart: Chart) -> str:
    """A chart as an element of the page: on the page's own ground, without a size of its own, and of its ids
    with those that it refers to."""
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
    """A chart of photos as an image element."""
    file = io.BytesIO()
    with mpl.rc_context(STYLE):
        chart.figure.savefig(
            file, format="jpeg", dpi=PHOTO_DPI, pil_kwargs={"quality": 80}, facecolor="white"
        )
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}">'


def page(folders: Sequence[Path], comparison: str = "") -> str:
    """The page of one folder of results, or of two side by side. Raises NoTrialsError where there is
    nothing."""
    sides = [Side(folder) for folder in folders]
    for side in sides:
        if side.trials.empty:
            raise NoTrialsError(
                f"{side.folder}/trials: no results yet; `make advise` or `make strong-scaling` makes some"
            )
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shown = [chapter for chapter in CHAPTERS if any(side.of(chapter) for side in sides)]
    return environment.get_template("page.html").render(
        sides=sides, chapters=shown, others=OTHERS, comparison=comparison
    )
