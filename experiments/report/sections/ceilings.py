"""The machine's ceilings: the strategies below replicas, and the probes; `diagnosis` shows the chart."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from augment.strategies.instruments.replicas import Replicas
from experiments.analysis.ceilings import PROBES, probe_efficiencies
from experiments.analysis.scaling import strategies
from experiments.analysis.text import label
from experiments.report.style import GREY, IDEAL, curve, finish, look, saving_panels, styled, worker_axis

LOOKS = zip(("#8C510A", "#762A83", "#01665E", "#999933", "#AA4466"), "ovsPX", strict=True)
PROBE_LOOKS = dict(zip(PROBES, LOOKS, strict=True))


@styled
def ceilings_figure(
    points: pd.DataFrame, inflations: pd.DataFrame, title: str, cpus: int | None = None
) -> Figure:
    """Efficiency of the strategies (points of `strong` that have one) below `replicas`, the machine's
    ceiling, and the probes (of `ceilings.inflations`), dashed, that say what the machine runs short of."""
    figure, panels = saving_panels(points, title, (4.2, 4.9))
    for axes, block in panels:
        saving = bool(block["saving"].iloc[0])
        for name, probe in probe_efficiencies(inflations, saving).groupby("probe"):
            color, marker = PROBE_LOOKS[str(name)]
            style: Any = {"color": color, "marker": marker, "markersize": 4, "linewidth": 1}
            curve(axes, probe, "efficiency", f"probe: {PROBES[str(name)]}", linestyle="--", **style)
        for strategy in strategies(block):
            ceiling = strategy == Replicas.name
            name = f"{label(strategy)}{': the ceiling' if ceiling else ''}"
            width = 2.8 if ceiling else 1.6
            curve_points = block[block["strategy"] == strategy]
            curve(axes, curve_points, "efficiency", name, linewidth=width, **look(strategy))
        axes.axhline(100, color=GREY, linewidth=1, label=IDEAL)
        worker_axis(axes, {1, *points["workers"], *inflations["workers"]}, cpus)
    finish(figure, "efficiency")
    middles = [value for axes, _ in panels for line in axes.containers for value in line[0].get_ydata()]
    # A bar may leave the chart: the bad luck of one probe must not flatten the others.
    panels[0][0].set_ylim(top=1.1 * max(100, *middles))
    return figure
