"""Chart of what each policy, changed alone, gives back."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.ablation import LEVEL, POINT
from experiments.report.style import GREY, STYLE, look
from experiments.report.tables import label, strategies

AXIS = "time given back\n(% of the time without the policy)"
# Twice the time. What costs more is named at the edge: to scale, it would squeeze all others into a line.
LEAST_PERCENT = -100.0


@mpl.rc_context(STYLE)
def ablation_figure(data: pd.DataFrame, title: str) -> Figure:
    """A panel per point of `recovered`, in each the ablation by the time they give back."""
    points: list[Any] = list(data.sort_values("time_recovered", ascending=False).groupby(POINT))
    order = strategies(data)
    points.sort(key=lambda point: (order.index(point[0][0]), *point[0][1:]))
    sizes = [len(block) for _, block in points]
    height = 1.2 + 0.5 * len(points) + 0.28 * sum(sizes)
    figure = Figure(figsize=(5.0, height), layout="constrained")
    figure.suptitle(title)
    column = figure.subplots(len(points), 1, sharex=True, squeeze=False, height_ratios=sizes)[:, 0]
    for axes, ((strategy, workers, saving, pipeline), block) in zip(column, points, strict=True):
        flag = "saving" if saving else "no saving"
        axes.set_title(f"{label(strategy)}, {workers} workers, {flag}, {pipeline}", fontsize=10)
        _panel(axes, block, **look(strategy))
    column[-1].set_xlabel(AXIS)
    figure.axes[0].set_xlim(*_limits(data))
    _legend(figure, bool((data["rounds"] == 1).any()))
    return figure


def _limits(data: pd.DataFrame) -> tuple[float, float]:
    """Everything that is not off the scale, and zero."""
    ends = (100 * data.filter(like="time_recovered")).clip(lower=LEAST_PERCENT).assign(zero=0.0)
    low, high = ends.min().min(), ends.max().max()
    margin = 0.05 * (high - low) or 1.0
    return max(low - margin, LEAST_PERCENT), high + margin


def _panel(axes: Axes, block: pd.DataFrame, color: str, marker: str) -> None:
    middle, low, high = (100 * block[f"time_recovered{end}"].to_numpy() for end in ("", "_low", "_high"))
    bars = np.nan_to_num([middle - low, high - middle]).clip(min=0)
    ranks = np.arange(len(block))
    axes.axvline(0, color="black", linewidth=0.8)
    axes.errorbar(middle, ranks, xerr=bars, fmt="none", ecolor=color, capsize=3, linewidth=1.6)
    fills = np.where(block["rounds"] == 1, "white", color)
    axes.scatter(middle, ranks, c=fills, edgecolors=color, marker=marker, s=36, zorder=3)
    edge = axes.get_yaxis_transform()
    for rank in ranks[middle < LEAST_PERCENT]:
        axes.plot(0.02, rank, "<", color=color, transform=edge)
        text = axes.text(0.06, rank, f"−{-middle[rank]:.0f} %", color=color, va="center", transform=edge)
        text.set_bbox({"color": "white", "pad": 1})
    axes.set_yticks(ranks, block["ablation"])
    axes.set_ylim(len(block) - 0.5, -0.5)


def _legend(figure: Figure, single: bool) -> None:
    style: Any = {"color": GREY, "marker": "o", "markersize": 4, "linestyle": "none"}
    axes = figure.axes[0]
    axes.errorbar([], [], xerr=[], capsize=3, label=f"mean, {100 * LEVEL:.0f} % interval", **style)
    if single:
        axes.plot([], [], markerfacecolor="white", label="one round", **style)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
