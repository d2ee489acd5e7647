"""Charts of the account and of the machine's ceilings."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.analysis.account import PARTS
from experiments.analysis.ceilings import PROBES, REPLICAS, probe_efficiencies
from experiments.analysis.scaling import SEQUENTIAL
from experiments.report.style import GREY, STYLE, finish, look, worker_axis
from experiments.report.tables import label, strategies

PART_LOOKS = {  # name in the legend, colour; the parts of coordination are shades of one
    "reference_s": ("reference work", "#C8C8C8"),
    "extra_user_s": ("extra user CPU", "#D55E00"),
    "extra_system_s": ("extra system CPU", "#E69F00"),
    "extra_wait_s": ("run-queue wait", "#CC79A7"),
    "extra_blocked_s": ("blocked in tasks", "#009E73"),
    "imbalance_s": ("load imbalance", "#333333"),
    "startup_s": ("start-up", "#004A75"),
    "gaps_s": ("gaps between tasks", "#0072B2"),
    "drain_s": ("drain", "#7FC4EE"),
}
PROBE_MARKERS = dict(zip(PROBES, "ovsPX", strict=True))
PROBE_COLORS = dict(zip(PROBES, ("#8C510A", "#762A83", "#01665E", "#999933", "#AA4466"), strict=True))


@mpl.rc_context(STYLE)
def account_figure(accounts: pd.DataFrame, title: str) -> Figure:
    """A stacked bar per worker count and strategy: what P x T went into, in per cent; the mean of the
    repetitions. What the tasks took less than in the reference lies below zero."""
    flags = sorted(set(accounts["saving"]), reverse=True)
    bars = max(
        accounts[accounts["saving"] == flag].groupby(["strategy", "workers"]).ngroups for flag in flags
    )
    figure = Figure(figsize=(max(6.4, 2.2 + 0.42 * bars), 0.9 + 3.2 * len(flags)), layout="constrained")
    figure.suptitle(title)
    column = figure.subplots(len(flags), 1, squeeze=False, sharey=True)[:, 0]
    for axes, flag in zip(column, flags, strict=True):
        axes.set_title("saving" if flag else "no saving", fontsize=10)
        _stacks(axes, accounts[accounts["saving"] == flag])
        axes.set_ylabel("share of P x T (%)")
    column[-1].set_xlabel("workers, by strategy", labelpad=26)
    handles = [Patch(color=color, label=name) for name, color in PART_LOOKS.values()]
    figure.legend(handles=handles, loc="outside right center", frameon=False, reverse=True)
    return figure


def _stacks(axes: Axes, accounts: pd.DataFrame) -> None:
    at, ticks, names = 0.0, [], []
    for strategy in strategies(accounts):
        block = accounts[accounts["strategy"] == strategy].groupby("workers")[["total_s", *PARTS]].mean()
        begin = at
        for workers, row in block.iterrows():
            shares = 100 * row[list(PARTS)] / row["total_s"]
            for side in (shares.clip(lower=0), shares.clip(upper=0)):
                feet = side.cumsum() - side
                colors = [PART_LOOKS[part][1] for part in PARTS]
                axes.bar([at] * len(PARTS), side, 0.8, bottom=feet, color=colors, linewidth=0)
            ticks.append(at)
            names.append(str(workers))
            at += 1
        middle, foot = (begin + at - 1) / 2, axes.get_xaxis_transform()
        axes.text(middle, -0.1, label(strategy), transform=foot, ha="center", va="top")
        at += 0.7
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(ticks, names)
    axes.set_xlim(-0.7, at - 1.0)
    axes.tick_params(axis="x", length=0)
    axes.grid(False, axis="x")
    axes.set_axisbelow(True)


@mpl.rc_context(STYLE)
def ceilings_figure(
    points: pd.DataFrame, inflations: pd.DataFrame, title: str, usable_cpus: int | None = None
) -> Figure:
    """Efficiency against workers: the strategies (points of `strong`) below `replicas`, the machine's
    ceiling, and the probes (of `ceilings.inflations`), dashed, that say what the machine runs short of."""
    flags = sorted(set(points["saving"]), reverse=True)
    figure = Figure(figsize=(0.6 + 4.2 * len(flags), 4.9), layout="constrained")
    figure.suptitle(title)
    row = figure.subplots(1, len(flags), sharey=True, squeeze=False)[0]
    for axes, flag in zip(row, flags, strict=True):
        axes.set_title("saving" if flag else "no saving", fontsize=10)
        for probe, block in probe_efficiencies(inflations, flag).groupby("probe"):
            name = str(probe)
            style = {"color": PROBE_COLORS[name], "marker": PROBE_MARKERS[name], "linestyle": "--"}
            _curve(axes, block, f"probe: {PROBES[name]}", linewidth=1.0, markersize=4, **style)
        block = points[(points["saving"] == flag) & points["efficiency"].notna()]
        for strategy in strategies(block[block["strategy"] != SEQUENTIAL]):
            own = block[block["strategy"] == strategy]
            if strategy == REPLICAS:
                _curve(
                    axes, own, "replicas: the ceiling", linewidth=2.4, color="black", marker="D", markersize=5
                )
            else:
                _curve(axes, own, label(strategy), linewidth=1.6, markersize=5, **look(strategy))
        axes.axhline(100, color=GREY, linewidth=1)
        worker_axis(axes, {*points["workers"], *inflations["workers"]}, usable_cpus)
    finish(figure, "efficiency")
    middles = [value for axes in row for curve in axes.containers for value in curve[0].get_ydata()]
    row[0].set_ylim(
        top=1.1 * max(100, *middles)
    )  # a bar may leave the chart: one probe's bad luck hides none
    return figure


def _curve(axes: Axes, curve: pd.DataFrame, name: str, **style: object) -> None:
    """Means in per cent, with bars over the spread or interval where it is known."""
    ordered = curve.sort_values("workers")
    middle, low, high = (100 * ordered[f"efficiency{end}"].astype(float) for end in ("", "_min", "_max"))
    bars = np.nan_to_num(np.array([middle - low, high - middle])).clip(min=0)
    axes.errorbar(ordered["workers"].astype(float), middle, yerr=bars, label=name, capsize=2, **style)  # type: ignore[arg-type]
