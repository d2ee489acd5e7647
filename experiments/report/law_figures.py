"""Charts of the fitted laws; beyond the fitted counts a curve is never drawn without its band."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.law_cases import STRONG_MEASURE, Case
from experiments.analysis.laws import Fit, extrapolate
from experiments.report.style import GREY, LAWS, STYLE, finish, look, saving_panels
from experiments.report.tables import label

LINES = {"Amdahl": "--", "USL": "-", "Gustafson": "-"}
STEPS = 97  # points of a curve


@mpl.rc_context(STYLE)
def laws_figure(
    points: pd.DataFrame, cases: Sequence[Case], title: str, usable_cpus: int | None = None
) -> Figure | None:
    """Measured speedups and the curves of their laws, drawn beyond them where they describe them, with a
    panel for saving and one for no saving; None if nothing could be fitted."""
    fitted = {(case.saving, case.strategy): case for case in cases if case.fits}
    if not fitted:
        return None
    keys = zip(points["saving"], points["strategy"], strict=True)
    figure, panels = saving_panels(points[[key in fitted for key in keys]], title)
    for axes, block in panels:
        here = [case for case in fitted.values() if case.saving == block["saving"].iloc[0]]
        for case in here:
            _measured(axes, case)
        for case in here:
            for fit in case.fits:
                _law(axes, fit, case.horizon(fit), look(case.strategy)["color"])
        _frame(axes, here, usable_cpus)
    finish(figure, "speedup")
    first, shown = figure.axes[0], pd.concat([case.points["speedup"] for case in fitted.values()])
    first.set_ylim(min(0.5, shown.min() / 1.5), 4 * shown.max())  # the band of a poor fit may leave it
    if any(case.measure != STRONG_MEASURE for case in fitted.values()):
        first.set_ylabel("scaled speedup")
    return figure


def _measured(axes: Axes, case: Case) -> None:
    points = case.points
    bars = [points["speedup"] - points["speedup_min"], points["speedup_max"] - points["speedup"]]
    style: Any = {"linestyle": "none", "capsize": 3, "markersize": 5, "zorder": 3, **look(case.strategy)}
    axes.errorbar(
        points["workers"].astype(float), points["speedup"], bars, label=label(case.strategy), **style
    )


def _law(axes: Axes, fit: Fit, end: int, color: str) -> None:
    """One line; where it leaves the fitted counts its interval is shaded, with the line's own edges."""
    line, last = LINES[fit.law.name], max(fit.workers)
    fitted = extrapolate(fit, np.geomspace(1, last, STEPS))
    axes.plot(fitted["workers"], fitted["speedup"], color=color, linestyle=line, linewidth=1.5)
    axes.plot([], [], color=GREY, linestyle=line, label=fit.law.name)
    if end > last:
        beyond = extrapolate(fit, np.geomspace(last, end, STEPS))
        at = beyond["workers"]
        axes.plot(at, beyond["speedup"], color=color, linestyle=line, linewidth=1)
        axes.fill_between(at, beyond["low"], beyond["high"], color=color, alpha=0.1, linewidth=0)
        for edge in ("low", "high"):
            axes.plot(at, beyond[edge], color=color, linestyle=line, linewidth=0.6, alpha=0.4)
        axes.fill_between([], [], [], color=GREY, alpha=0.3, linewidth=0, label=LAWS[-1])


def _frame(axes: Axes, cases: Sequence[Case], cpus: int | None) -> None:
    end = max(case.horizon(fit) for case in cases for fit in case.fits)
    axes.plot([1, end], [1, end], color=GREY, linewidth=1, label="ideal", zorder=1)
    if cpus is not None:
        axes.axvline(cpus, color=GREY, linestyle=":", linewidth=1.5, label="CPUs")
    axes.set_xscale("log", base=2)
    ticks = 2 ** np.arange(0, np.log2(end) + 0.5)
    axes.set_xticks(ticks, [f"{tick:.0f}" for tick in ticks])
    axes.set_xlabel("workers")
