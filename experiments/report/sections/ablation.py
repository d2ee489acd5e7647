"""What each policy, changed alone, gives back."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.ablation import POINT, SIDES, comparable, recovered
from experiments.analysis.scaling import strategies
from experiments.analysis.statistics import LEVEL
from experiments.analysis.text import label, percent, with_interval, with_or_without
from experiments.records.schema import OK
from experiments.report.sections import Outputs, Results, section
from experiments.report.style import GREY, look, panels, styled
from experiments.report.tables import Table, plain_table

AXIS = "time given back\n(% of the time without the policy)"
# Twice the time. What costs more is named at the edge: to scale, it would squeeze all others into a line.
LEFT_EDGE_PERCENT = -100.0
NOTES = (
    f"Means over the rounds, in each of which both were measured; in brackets the {percent(LEVEL)} "
    "interval (paired t). One such interval in twenty misses by chance.",
    "Efficiency: sequential time of the same round, no policy changed / (workers x time). The rows are "
    "ranked by what is recovered of it, in points of per cent.",
    "Time given back: share of the time without the policy, from the log ratios.",
)


@section("ablation")
def ablation(results: Results) -> Outputs:
    """What was measured in rounds, with and without each policy."""
    trials, notes = comparable(results.trials)
    gains = recovered(trials)
    yield "table", [ablation_table(gains, [*_unmeasured(trials), *notes])]
    yield "time_given_back", ablation_figure(gains, "What each policy gives back")


def _unmeasured(trials: pd.DataFrame) -> list[str]:
    """A line for each cell with a trial that is in no mean."""
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    return [
        f"{row['ablation']} with {label(row['strategy'])} at {row['workers']} workers: {row['status']}."
        for row in missing.to_dict("records")
    ]


def ablation_table(gains: pd.DataFrame, notes: list[str]) -> Table:
    """The rows of `recovered`, with the word that the interval of the time allows."""
    shown = gains[[*POINT, "ablation", "rounds"]].copy()
    for side in SIDES:
        shown[f"efficiency\n{side}"] = [percent(value, 1) for value in gains[f"efficiency_{side}"]]
    shown["efficiency recovered\n(points)"] = _spans(100 * gains.filter(like="efficiency_recovered"), "+.1f")
    shown["time given back\n(%)"] = _spans(100 * gains.filter(like="time_recovered"), "+.0f")
    ends = zip(gains["time_recovered_low"], gains["time_recovered_high"], strict=True)
    shown["so"] = [_word(low, high) for low, high in ends]
    return plain_table("Ablations", gains, [*NOTES, *notes], shown)


def _spans(intervals: pd.DataFrame, form: str) -> list[str]:
    return [with_interval(middle, low, high, form) for middle, low, high in intervals.to_numpy()]


def _word(low: float, high: float) -> str:
    if pd.isna(low):
        return "not decided: one round"
    return "gives time back" if low > 0 else "costs time" if high < 0 else "no difference"


@styled
def ablation_figure(gains: pd.DataFrame, title: str) -> Figure:
    """A panel per point of `recovered`, in each the ablations by the time they give back."""
    points: list[Any] = list(gains.sort_values("time_recovered", ascending=False).groupby(POINT))
    order = strategies(gains)
    points.sort(key=lambda point: (order.index(point[0][0]), *point[0][1:]))
    sizes = [len(block) for _, block in points]
    height = 1.2 + 0.5 * len(points) + 0.28 * sum(sizes)
    figure, column = panels(title, (5.0, height), len(points), 1, sharex=True, height_ratios=sizes)
    for axes, ((strategy, workers, saving, pipeline), block) in zip(column, points, strict=True):
        where = f"{label(strategy)}, {workers} workers, {with_or_without(saving)}, {pipeline}"
        axes.set_title(where, fontsize=10)
        _panel(axes, block, **look(strategy))
    column[-1].set_xlabel(AXIS)
    ends = (100 * gains.filter(like="time_recovered")).clip(lower=LEFT_EDGE_PERCENT).assign(zero=0.0)
    low, high = ends.min().min(), ends.max().max()
    margin = 0.05 * (high - low) or 1.0
    column[0].set_xlim(max(low - margin, LEFT_EDGE_PERCENT), high + margin)
    grey: Any = {"color": GREY, "marker": "o", "markersize": 4, "linestyle": "none"}
    column[0].errorbar([], [], xerr=[], capsize=3, label=f"mean, {percent(LEVEL)} interval", **grey)
    if (gains["rounds"] == 1).any():
        column[0].plot([], [], markerfacecolor="white", label="one round", **grey)
    entries = column[0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _panel(axes: Axes, block: pd.DataFrame, color: str, marker: str) -> None:
    middle, low, high = (100 * block[f"time_recovered{end}"].to_numpy() for end in ("", "_low", "_high"))
    bars = np.nan_to_num([middle - low, high - middle]).clip(min=0)
    ranks = np.arange(len(block))
    axes.axvline(0, color="black", linewidth=0.8)
    axes.errorbar(middle, ranks, xerr=bars, fmt="none", ecolor=color, capsize=3, linewidth=1.6)
    fills = np.where(block["rounds"] == 1, "white", color)
    axes.scatter(middle, ranks, c=fills, edgecolors=color, marker=marker, s=36, zorder=3)
    edge = axes.get_yaxis_transform()
    for rank in ranks[middle < LEFT_EDGE_PERCENT]:
        axes.plot(0.02, rank, "<", color=color, transform=edge)
        text = axes.text(0.06, rank, f"−{-middle[rank]:.0f} %", color=color, va="center", transform=edge)
        text.set_bbox({"color": "white", "pad": 1})
    axes.set_yticks(ranks, block["ablation"])
    axes.set_ylim(len(block) - 0.5, -0.5)
