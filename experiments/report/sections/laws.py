"""Amdahl, the USL and Gustafson beside what was measured; beyond it a law is never drawn without its band."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.laws import AMDAHL, GUSTAFSON, MIN_COUNTS, Case, Fit, cases
from experiments.analysis.scaling import Models, models
from experiments.analysis.text import label, percent, with_interval, with_or_without
from experiments.records.schema import OK
from experiments.report import style
from experiments.report.results import Results, cpus_of
from experiments.report.sections import Outputs, section
from experiments.report.sections.scaling import points_of
from experiments.report.tables import Table, plain_table, side_by_side

BEYOND = 4  # times the largest fitted count: how far laws are drawn
COLUMNS = ["saving", "strategy", "law", "quantity", "value", "low", "high"]
NOTES = [
    "Amdahl 1967: 1/S = 1/P + s (1 - 1/P). USL, Gunther 1993: 1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1). "
    "Gustafson 1988: S = P - s (P - 1), where S is P x the work-normalised efficiency, or "
    "the study's where that is unknown.",
    "In parentheses: 95 % intervals of a bootstrap with the errors of the block model and, where the law is "
    "further off than these explain, its residuals; they hold if the law does. A peak at ∞ is a limit.",
    f"Off by: root mean square. Counts at which workers share CPUs are left out where {MIN_COUNTS} remain.",
]


@section("strong_scaling", chapter="Strong scaling", order=31)
@section("weak_scaling", chapter="Weak scaling", order=41)
def laws(results: Results) -> Outputs:
    """Those that apply to the points of the experiment."""
    points, trials, _ = points_of(results)
    if (points["status"] == OK).any():
        fits = models(trials, published.POINTS[results.experiment][1])
        yield from laws_of(points, fits, results.title, cpus_of(trials))


def laws_of(
    points: pd.DataFrame, fits: Models, title: str, cpus: int | None = None, stem: str = "laws"
) -> Outputs:
    """The laws that the points of `strong` or `weak` follow, as a table and a chart."""
    fitted = cases(points, fits, cpus)
    table = laws_table(fitted, f"{title}, laws")
    yield stem, [table]
    if any(case.fits for case in fitted):
        yield stem, style.Chart(laws_figure(fitted, f"{title}: laws", cpus), table.data)


def laws_table(cases: Sequence[Case], title: str) -> Table:
    """The parameters of each law per strategy; its `data` is long, a number and its interval per row."""
    rows = [
        [*case[:2], fit.law.name, quantity, *interval, with_interval(*interval, ".3g").replace("inf", "∞")]
        for case in cases
        for fit in case.fits
        for quantity, interval in fit.results().items()
    ]
    long = pd.DataFrame(rows, columns=[*COLUMNS, "text"])
    keys = pd.MultiIndex.from_tuples([case[:2] for case in cases], names=COLUMNS[:2])
    shown = side_by_side(long.assign(head=long["law"] + "\n" + long["quantity"]), keys)
    return plain_table(title, long[COLUMNS], [*NOTES, *map(_note, cases)], shown)


def _note(case: Case) -> str:
    """What was fitted and how well, or why nothing was."""
    where = f"{label(case.strategy)}, {with_or_without(case.saving)}"
    if not case.fits:
        return f"{where}: not fitted; {len(case.points)} speedups beyond 1 worker known, {MIN_COUNTS} needed."
    counts = ", ".join(map(str, case.fits[0].workers))
    quality = [f"{fit.law.name} is off by {percent(fit.off_by)}" for fit in case.fits]
    return f"{where}: fitted to {counts} workers; {', '.join(quality)}."


@style.styled
def laws_figure(cases: Sequence[Case], title: str, cpus: int | None = None) -> Figure:
    """Measured speedups and the curves of their laws. At least one case must have a fit."""
    fits = [(case, fit) for case in cases for fit in case.fits]
    points = pd.concat([case.points for case in cases if case.fits])
    figure, panels = style.saving_panels(points, title)
    end = max(int(points["workers"].max()), *(BEYOND * fit.workers[-1] for _, fit in fits))
    for axes, block in panels:
        style.curves(axes, block, "speedup", linestyle="none")
        for case, fit in fits:
            if case.saving == block["saving"].iloc[0]:
                _draw(axes, fit, style.look(case.strategy)["color"])
        axes.plot([1, end], [1, end], color=style.GREY, linewidth=1, label=style.IDEAL, zorder=1)
        style.worker_axis(axes, {2**power for power in range(end.bit_length())}, cpus)
    style.finish(figure, "speedup")
    if fits[0][1].law is GUSTAFSON:
        panels[0][0].set_ylabel("scaled speedup")
    panels[0][0].set_ylim(min(0.5, points["speedup"].min() / 1.5), 4 * points["speedup"].max())
    return figure


def _draw(axes: Axes, fit: Fit, color: str) -> None:
    """A line; beyond the fitted counts its interval is shaded, with edges of the same dashes."""
    line: Any = {"linestyle": "--" if fit.law is AMDAHL else "-"}
    last, end = fit.workers[-1], BEYOND * fit.workers[-1]
    at, beyond = np.geomspace(1, end), np.geomspace(last, end)
    axes.plot(at, fit.curve(at)[0], color=color, linewidth=1.5, **line)
    axes.plot([], [], color=style.GREY, label=fit.law.name, **line)
    axes.fill_between(beyond, *fit.curve(beyond)[1:], color=color, alpha=0.15, **line)
    axes.fill_between([], [], [], color=style.GREY, alpha=0.3, linewidth=0, label=style.BEYOND)
