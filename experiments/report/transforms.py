"""Which transforms scale and which do not: what a call of each costs beside P workers, over what the
same task's call costs the sequential reference.

Several workers on a CPU share it: beyond the CPUs a call takes P / CPUs times as long without anything
being wrong. What lies above that, or above 1 before, is memory, cache, clock or SMT.
"""

import json
from math import ceil
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from experiments.analysis.ceilings import ratio_of_means
from experiments.analysis.scaling import SEQUENTIAL, STRONG
from experiments.records.schema import OK
from experiments.report.style import GREY, SHARED, STYLE, legend, look
from experiments.report.tables import DASH, Table, label, strategies

TRIAL = ["cell", "repetition"]
CALL = ["image_index", "augmentation_index", "transform"]
COLUMNS = [
    *(*STRONG, "transform", "calls", "call_s", "reference_call_s", "reference_share"),
    *("inflation", "low", "high"),
]
ACROSS, PANEL_WIDTH, PANEL_HEIGHT = 4, 1.9, 1.55  # panels in a row; inches


def transform_inflations(trials: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Per point and transform: calls in a trial (a task that has it counts once), seconds per call here
    and of the same tasks in the sequential reference, its share of the reference's transform stage, and
    the inflation with its 95 % interval from resampled repetitions. Empty where none were recorded."""
    ok = trials.loc[trials["status"] == OK, [*STRONG, *TRIAL]]
    called = ok.merge(_calls(tasks), on=TRIAL)
    rows: list[dict[str, Any]] = []
    for saving, block in called.groupby("saving"):
        references = block[block["strategy"] == SEQUENTIAL]
        stage_s = _stage_s(ok[(ok["strategy"] == SEQUENTIAL) & (ok["saving"] == saving)], tasks)
        points: Any = block.groupby(["strategy", "workers", "transform"])
        for (strategy, workers, transform), here in points:
            reference = references.merge(here[CALL].drop_duplicates(), on=CALL)
            if reference.empty:
                continue
            point = dict(zip((*STRONG, "transform"), (saving, strategy, workers, transform), strict=True))
            rows.append(point | _compared(here, reference, stage_s))
    return pd.DataFrame(rows, columns=COLUMNS)


def _calls(tasks: pd.DataFrame) -> pd.DataFrame:
    """One row per transform of a task: columns of TRIAL and CALL, seconds."""
    known = tasks[tasks["transforms_s"].notna()]
    rows = [
        (*row[:-1], name, seconds)
        for row in known[[*TRIAL, *CALL[:2], "transforms_s"]].itertuples(index=False)
        for name, seconds in json.loads(row[-1]).items()
    ]
    return pd.DataFrame(rows, columns=[*TRIAL, *CALL, "seconds"])


def _stage_s(trials: pd.DataFrame, tasks: pd.DataFrame) -> float:
    """Seconds of the stage in which transforms are built and applied, in the mean of the trials."""
    return float(trials.merge(tasks, on=TRIAL).groupby(TRIAL)["transform_s"].sum().mean())


def _compared(here: pd.DataFrame, reference: pd.DataFrame, stage_s: float) -> dict[str, float]:
    own, base = (one.groupby("repetition")["seconds"] for one in (here, reference))
    value, low, high = ratio_of_means(own.mean().to_numpy(float), base.mean().to_numpy(float))
    return {
        "calls": own.size().mean(),
        "call_s": own.mean().mean(),
        "reference_call_s": base.mean().mean(),
        "reference_share": base.sum().mean() / stage_s,
        **{"inflation": value, "low": low, "high": high},
    }


def transform_tables(found: pd.DataFrame, title: str) -> list[Table]:
    """The inflation of every transform at every point, the dearest first; a table for saving and one for
    no saving."""
    flags = sorted(set(found["saving"]), reverse=True)
    return [
        _table(found[found["saving"] == flag], f"{title}, {'saving' if flag else 'no saving'}")
        for flag in flags
    ]


def _table(found: pd.DataFrame, title: str) -> Table:
    by_name = _reference(found)
    beside = found[found["strategy"] != SEQUENTIAL]
    points = [
        (strategy, workers)
        for strategy in strategies(beside)
        for workers in sorted(set(beside.loc[beside["strategy"] == strategy, "workers"]))
    ]
    values = beside.set_index(["transform", "strategy", "workers"])["inflation"].to_dict()
    rows = [
        [
            str(name),
            f"{row['calls']:.0f}",
            f"{1e3 * row['reference_call_s']:.3g}",
            f"{row['reference_share']:.1%}",
        ]
        + [f"{values[key]:.2f}" if (key := (name, *point)) in values else DASH for point in points]
        for name, row in by_name.iterrows()
    ]
    columns = [("", "transform"), *(("reference", head) for head in ("calls", "ms per call", "of the stage"))]
    columns += [(label(strategy), f"P = {workers}") for strategy, workers in points]
    notes = [
        "Seconds of a call by the clock over those of the same tasks in the sequential reference; beyond "
        "the CPUs P / CPUs is what sharing them forces. 95 % intervals: in the CSV file and the chart.",
        f"{1 - by_name['reference_share'].sum():.0%} of the transform stage is in no transform: building "
        "them anew for every task, and groups.",
    ]
    return Table(title, columns, rows, found, notes)


def _reference(found: pd.DataFrame) -> pd.DataFrame:
    """The reference's rows by transform, the largest total first."""
    reference = found[found["strategy"] == SEQUENTIAL].set_index("transform")
    return reference.sort_values("reference_share", ascending=False)


@mpl.rc_context(STYLE)
def transforms_figure(found: pd.DataFrame, title: str, usable_cpus: int | None = None) -> Figure:
    """A panel per transform, the dearest first: its inflation against workers. Without saving if that
    was measured, where nothing but the transforms is at work."""
    flag = min(found["saving"])
    shown = found[found["saving"] == flag]
    by_name = _reference(shown)
    across, down = min(ACROSS, len(by_name)), ceil(len(by_name) / ACROSS)
    size = (max(4.6, 0.5 + PANEL_WIDTH * across), 1.5 + PANEL_HEIGHT * down)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"{title}, {'saving' if flag else 'no saving'}")
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat
    beside = shown[shown["strategy"] != SEQUENTIAL]
    for axes, (name, row) in zip(panels, by_name.iterrows(), strict=False):
        cost = f"{1e3 * row['reference_call_s']:.3g} ms, {row['reference_share']:.1%} of the stage"
        axes.set_title(f"{name}\n{cost}", fontsize=8)
        _panel(axes, beside[beside["transform"] == name], sorted(set(beside["workers"])), usable_cpus)
    for axes in list(figure.axes)[len(by_name) :]:
        axes.remove()
    for axes in figure.axes[-across:]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("workers")
    figure.supylabel("seconds of a call, over the reference's", fontsize=10)
    legend(figure)
    return figure


def _panel(axes: Axes, found: pd.DataFrame, counts: list[int], cpus: int | None) -> None:
    """Curves with bars over the intervals; hollow where one repetition leaves them unknown."""
    for strategy in strategies(found):
        curve = found[found["strategy"] == strategy].sort_values("workers")
        ends = [curve["inflation"] - curve["low"], curve["high"] - curve["inflation"]]
        bars = np.nan_to_num(np.array(ends, float)).clip(min=0)
        style: Any = {**look(strategy), "linewidth": 1.3, "markersize": 4, "capsize": 2}
        if curve["low"].isna().all():
            style["markerfacecolor"] = "white"
            axes.plot([], [], "o", color=GREY, markerfacecolor="white", label="one repetition")
        axes.errorbar(curve["workers"], curve["inflation"], yerr=bars, label=label(strategy), **style)
    axes.axhline(1, color=GREY, linewidth=1, label="ideal")
    if cpus is not None:
        forced = [max(1.0, count / cpus) for count in counts]
        axes.plot(counts, forced, color=GREY, linewidth=1, linestyle=":", label=SHARED)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.margins(x=0.08)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
