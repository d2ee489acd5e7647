"""All results as one page that needs no network."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import matplotlib as mpl
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from experiments.report.charts import STYLE, Chart
from experiments.report.results import Results
from experiments.report.sections import SHOW_ERRORS, reportable, sections_below
from experiments.report.tables import Table
from experiments.report.texts import written

POINTS_PER_INCH, PIXELS_PER_POINT = 72, 1.4  # letters have one size in all charts
ANSWER = "advise-recommendation"  # the table that the page begins with


@dataclass
class Chapter:
    """A chapter of the page; `words` stand below its heading."""

    heading: str
    words: str
    exhibits: dict[str, tuple[str, Table | Chart]] = field(default_factory=dict)  # names and contents


def chapters(results: Results) -> tuple[list[Chapter], list[str]]:
    """Return the chapters with all that the sections show, and why some sections show nothing.

    Equal tables of several experiments, such as the environment, stand once in a chapter.
    """
    by_heading: dict[str, Chapter] = {}
    reasons = []
    for section, one in sections_below(results):
        chapter = by_heading.setdefault(section.chapter, Chapter(section.chapter, section.words))
        try:
            for stem, content in section.show(one):
                name = f"{one.experiment}-{stem}"
                key = content.text() if isinstance(content, Table) else name
                chapter.exhibits.setdefault(key, (name, content))
        except SHOW_ERRORS as error:
            reasons.append(f"{one.experiment}: no {section.name}: {error}")
    return [chapter for chapter in by_heading.values() if chapter.exhibits], reasons


def answer(chapters: Sequence[Chapter]) -> dict[Any, Any] | None:
    """Return the row of the recommendation, or None if no search was run."""
    exhibits = (exhibit for chapter in chapters for exhibit in chapter.exhibits.values())
    rows = (content.data.iloc[0].to_dict() for name, content in exhibits if name == ANSWER)
    return next(rows, None)


def csv(data: pd.DataFrame) -> str:
    """Return numbers as an address that needs no request."""
    return "data:text/csv;charset=utf-8," + quote(data.to_csv(index=False))


def svg(chart: Chart) -> str:
    """Return a chart as an SVG element with a transparent ground and the width of the page at most."""
    file, no_metadata = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context(STYLE | {"svg.fonttype": "none"}):  # text stays text
        chart.figure.savefig(file, format="svg", transparent=True, metadata=no_metadata)
    body = file.getvalue().partition("<svg")[2].partition(">")[2]
    referenced = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))  # all other ids repeat in every chart
    body = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in referenced else "", body)
    width, height = POINTS_PER_INCH * chart.figure.get_size_inches()
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {PIXELS_PER_POINT * width:.0f}px"'
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {size} aria-hidden="true">{body}'


def page(folder: Path) -> str:
    """Return the page of a folder of results."""
    results = Results(folder, "")
    trials = pd.concat(results.beside(name).trials for name in reportable(folder)).sort_values("started_at")
    commands = trials.drop_duplicates(["experiment", "cell"], keep="last")
    shown, reasons = chapters(results)
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html").render(
        answer=answer(shown),
        chapters=shown,
        reasons=reasons,
        commands=commands.to_dict("records"),
        csv=csv,
        svg=svg,
        written=written,
    )


def write_page(folder: Path) -> Path:
    """Write report/index.html into the folder of results, and return its path."""
    path = folder / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(folder), encoding="utf-8", errors="backslashreplace")
    return path
