"""All results as one page that needs no network."""

import io
import json
import re
from pathlib import Path

import matplotlib as mpl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from augment.strategies import STRATEGIES
from experiments.analysis.select import require
from experiments.report import texts
from experiments.report.charts import STYLE, Chart
from experiments.report.results import Results
from experiments.report.sections import FOLDER, SHOW_ERRORS, reportable, sections_of
from experiments.report.tables import Table

POINTS_PER_INCH, PIXELS_PER_POINT = 72, 1.4  # letters have one size in all charts; at least a pixel a point
Exhibits = list[tuple[str, Table | Chart]]  # each with its name


def chapters(results: Results) -> tuple[dict[str, Exhibits], list[str]]:
    """Return the exhibits of each chapter by its heading, and why some sections show nothing."""
    experiments = [results.beside(name) for name in (FOLDER, *reportable(results.folder))]
    pairs = [(section, one) for one in experiments for section in sections_of(one.experiment)]
    shown, reasons = dict[str, Exhibits](), list[str]()
    for section, one in sorted(pairs, key=lambda pair: pair[0].order):
        exhibits = shown.setdefault(section.chapter, [])
        try:
            exhibits.extend((f"{one.experiment}-{stem}", content) for stem, content in section.show(one))
        except SHOW_ERRORS as error:
            reasons.append(f"{one.experiment}: no {section.name}: {error}")
    return {heading: exhibits for heading, exhibits in shown.items() if exhibits}, reasons


def svg(chart: Chart) -> str:
    """Return a chart as an SVG element with a transparent ground, whose letters stay legible."""
    file, no_metadata = io.StringIO(), dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context(STYLE | {"svg.fonttype": "none"}):  # text stays text
        chart.figure.savefig(file, format="svg", transparent=True, metadata=no_metadata)
    body = file.getvalue().partition("<svg")[2].partition(">")[2].replace("#000000", "currentColor")
    referenced = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))  # all other ids repeat in every chart
    body = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in referenced else "", body)
    width, height = POINTS_PER_INCH * chart.figure.get_size_inches()
    limits = f"min-width: {width:g}px; max-width: {PIXELS_PER_POINT * width:.0f}px"
    size = f'viewBox="0 0 {width:g} {height:g}" style="{limits}"'
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {size} aria-hidden="true">{body}'


def page(folder: Path) -> str:
    """Return the page of a folder of results."""
    results = Results(folder, FOLDER)
    require(trials := results.trials.sort_values("started_at"))
    shown, reasons = chapters(results)
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["from_json"] = json.loads
    return environment.get_template("page.html").render(
        chapters=shown,
        reasons=reasons,
        trials=trials,
        strategies=[kind for name, kind in STRATEGIES.items() if name in {*trials["strategy"]}],
        svg=svg,
        texts=texts,
    )


def write_page(folder: Path) -> Path:
    """Write report/index.html into the folder of results, and return its path."""
    path = folder / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(folder), encoding="utf-8", errors="backslashreplace")
    return path
