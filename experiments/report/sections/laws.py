"""Amdahl, the USL and Gustafson beside what was measured; a law is never drawn without its band."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.law_cases import STRONG_MEASURE, Case, cases
from experiments.analysis.laws import Fit, extrapolate
from experiments.analysis.text import label
from experiments.records.schema import OK
from experiments.report import style
from experiments.report.sections import Outputs, Results, section
from experiments.report.sections.law_tables import law_tables
from experiments.report.sections.scaling import points_of

LINES = {"Amdahl": "--", "USL": "-", "Gustafson": "-"}
STEPS = 97  # points of a curve


@section(*published.POINTS)
def laws(results: Results) -> Outputs:
    """Those that apply to the points of the experiment."""
    points, _, cpus = points_of(results)
    if (points["status"] == OK).any():
        yield from laws_of(points, results.title, cpus)


def laws_of(points: pd.DataFrame, title: str, cpus: int | None = None, stem: str = "laws") -> Outputs:
    """The laws that the points of `strong` or `weak` follow, as tables and a chart."""
    fitted = cases(points, cpus)
    yield stem, law_tables(fitted, title, cpus)
    if any(case.fits for case in fitted):
        yield stem, laws_figure(points, fitted, f"{title}: laws", cpus)


@style.styled
def laws_figure(points: pd.DataFrame, cases: Sequence[Case], title: str, cpus: int | None = None) -> Figure:
    """Measured speedups and the curves of their laws, drawn beyond them where they describe them, with a
    panel for saving and one for no saving. At least one case must have a fit."""
    fitted = {(case.saving, case.strategy): case for case in cases if case.fits}
    keys = zip(points["saving"], points["strategy"], strict=True)
    figure, panels = style.saving_panels(points[[key in fitted for key in keys]], title)
    for axes, block in panels:
        shown = [case for case in fitted.values() if case.saving == block["saving"].iloc[0]]
        for case in shown:
            look = style.look(case.strategy)
            style.curve(
                axes, case.points, "speedup", label(case.strategy), linestyle="none", zorder=3, **look
            )
            for fit in case.fits:
                _draw(axes, fit, case.horizon(fit), look["color"])
        end = max(case.horizon(fit) for case in shown for fit in case.fits)
        axes.plot([1, end], [1, end], color=style.GREY, linewidth=1, label=style.IDEAL, zorder=1)
        style.worker_axis(axes, {2**power for power in range(end.bit_length())}, cpus)
    style.finish(figure, "speedup")
    speedups = pd.concat([case.points["speedup"] for case in fitted.values()])
    # The band of a poor fit may leave the chart.
    panels[0][0].set_ylim(min(0.5, speedups.min() / 1.5), 4 * speedups.max())
    if any(case.measure != STRONG_MEASURE for case in fitted.values()):
        panels[0][0].set_ylabel("scaled speedup")
    return figure


def _draw(axes: Axes, fit: Fit, end: int, color: str) -> None:
    """One line; where it leaves the fitted counts its interval is shaded, with the line's own edges."""
    line, last = LINES[fit.law.name], max(fit.workers)
    fitted = extrapolate(fit, np.geomspace(1, last, STEPS))
    axes.plot(fitted["workers"], fitted["speedup"], color=color, linestyle=line, linewidth=1.5)
    axes.plot([], [], color=style.GREY, linestyle=line, label=fit.law.name)
    if end > last:
        beyond = extrapolate(fit, np.geomspace(last, end, STEPS))
        at = beyond["workers"]
        axes.plot(at, beyond["speedup"], color=color, linestyle=line, linewidth=1)
        axes.fill_between(at, beyond["low"], beyond["high"], color=color, alpha=0.1, linewidth=0)
        for edge in ("low", "high"):
            axes.plot(at, beyond[edge], color=color, linestyle=line, linewidth=0.6, alpha=0.4)
        axes.fill_between([], [], [], color=style.GREY, alpha=0.3, linewidth=0, label=style.BEYOND)
