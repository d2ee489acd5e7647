"""The laws of Amdahl, Gunther and Gustafson beside the speedups that were measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.laws import AMDAHL, GUSTAFSON, MIN_COUNTS, Case, cases
from experiments.analysis.scaling import NoTrialsError, models
from experiments.analysis.text import label, percent, with_interval, with_or_without
from experiments.report import charts
from experiments.report.results import Results, cpus_of
from experiments.report.sections import Outputs, section
from experiments.report.sections.scaling import points_of
from experiments.report.tables import Table, plain_table, side_by_side

COLUMNS = ["saving", "strategy", "law", "quantity", "value", "low", "high"]
NOTES = [
    "Amdahl 1967: 1/S = 1/P + s (1 - 1/P). USL, Gunther 1993: 1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1). "
    "Gustafson 1988: S = P - s (P - 1), where S is P x the work-normalised efficiency, or "
    "the study's where that is unknown.",
    "In parentheses: 95 % intervals of a bootstrap with the errors of the block model and, where the law is "
    "further off than these explain, its residuals; they hold if the law does. A peak at ∞ is a limit.",
    f"Off by: root mean square. A fit needs {MIN_COUNTS} worker counts from 2 to the usable CPUs.",
]


@section("strong_scaling", chapter="Strong scaling", order=31)
@section("weak_scaling", chapter="Weak scaling", order=41)
def laws(results: Results) -> Outputs:
    """Yield the laws that the points of the experiment follow. Raises NoTrialsError if too few counts lie
    within the usable CPUs."""
    points, trials, _ = points_of(results)
    cpus = cpus_of(trials)
    fits = models(trials, published.POINTS[results.experiment][1])
    fitted = cases(points, fits, cpus)
    if not fitted:
        raise NoTrialsError(f"a law needs {MIN_COUNTS} worker counts from 2 to the {cpus} usable CPUs")
    yield from laws_of(fitted, results.title)


def laws_of(fitted: Sequence[Case], title: str, stem: str = "laws") -> Outputs:
    """Yield the fitted laws as a table and as a chart."""
    table = laws_table(fitted, f"{title}, laws")
    yield stem, [table]
    yield stem, charts.Chart(laws_figure(fitted, f"{title}: laws"), table.data)


def laws_table(fitted: Sequence[Case], title: str) -> Table:
    """Return the parameters of each law per strategy; `data` is long, a number and its interval per row."""
    rows = [
        [*case[:2], fit.law.name, quantity, *interval, with_interval(*interval, ".3g").replace("inf", "∞")]
        for case in fitted
        for fit in case.fits
        for quantity, interval in fit.results().items()
    ]
    long = pd.DataFrame(rows, columns=[*COLUMNS, "text"])
    keys = pd.MultiIndex.from_tuples([case[:2] for case in fitted], names=COLUMNS[:2])
    shown = side_by_side(long.assign(head=long["law"] + "\n" + long["quantity"]), keys)
    return plain_table(title, long[COLUMNS], [*NOTES, *map(_note, fitted)], shown)


def _note(case: Case) -> str:
    """Say what was fitted and how well."""
    counts = ", ".join(map(str, case.fits[0].workers))
    quality = ", ".join(f"{fit.law.name} is off by {percent(fit.off_by)}" for fit in case.fits)
    where = f"{label(case.strategy)}, {with_or_without(case.saving)}"
    return f"{where}: fitted to {counts} workers; {quality}."


@charts.styled
def laws_figure(fitted: Sequence[Case], title: str) -> Figure:
    """Draw the measured speedups and, from one worker to the largest count, the curves of their laws."""
    points = pd.concat([case.points for case in fitted])
    figure, panels = charts.saving_panels(points, title)
    for axes, block in panels:
        charts.curves(axes, block, "speedup", linestyle="none")
        for case in fitted:
            if case.saving == block["saving"].iloc[0]:
                at = np.geomspace(1, case.points["workers"].max())
                for fit in case.fits:
                    line: Any = {"linestyle": "--" if fit.law is AMDAHL else "-", "linewidth": 1.5}
                    axes.plot(at, fit.curve(at), color=charts.look(case.strategy)["color"], **line)
                    axes.plot([], [], color=charts.GREY, label=fit.law.name, **line)
        ends = [1, block["workers"].max()]
        axes.plot(ends, ends, color=charts.GREY, linewidth=1, label=charts.IDEAL, zorder=1)
        charts.worker_axis(axes, {1, *points["workers"]}, None)
    charts.finish(figure, "speedup")
    if fitted[0].fits[0].law is GUSTAFSON:
        panels[0][0].set_ylabel("scaled speedup")
    return figure
