"""One trial as it went: workers as rows, stages as colours; and the same for a trace viewer."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.analysis.costs import STAGES
from experiments.report.style import STYLE
from experiments.report.tables import label

COLORS = dict(zip(STAGES, ("#56B4E9", "#0072B2", "#CC79A7", "#E69F00", "#D55E00"), strict=True))
LATER = ("encode", "write")  # the stages that a saver of its own carries out
MICROSECONDS = 1e6
INCHES_PER_ROW, LEAST_PANEL = 0.16, 0.7


def spans(tasks: pd.DataFrame) -> pd.DataFrame:
    """One row per stage of a task that took time: process, stage, begin_s, seconds, image_index,
    augmentation_index; seconds after the begin of the timed region."""
    at = tasks["start_s"].copy()
    found = []
    for stage in STAGES:
        process = tasks["worker"]
        if stage in LATER:
            process = tasks["saver"].astype(float).fillna(process).astype(int)
        if stage == LATER[0]:
            at = tasks["save_start_s"].astype(float).fillna(at)
        names = ["image_index", "augmentation_index"]
        seconds = tasks[f"{stage}_s"]
        found.append(
            tasks[names].assign(process=process, stage=stage, begin_s=at, seconds=seconds)[seconds > 0]
        )
        at = at + seconds
    return pd.concat(found, ignore_index=True)


def perfetto(tasks: pd.DataFrame, name: str = "trial") -> dict[str, Any]:
    """The tasks of one trial as Chrome trace events (complete events, times in microseconds), which
    ui.perfetto.dev and chrome://tracing open: a process per worker."""
    events = [
        {
            "name": row["stage"],
            "cat": "task",
            "ph": "X",
            "ts": round(row["begin_s"] * MICROSECONDS, 3),
            "dur": round(row["seconds"] * MICROSECONDS, 3),
            "pid": 1,
            "tid": int(row["process"]),
            "args": {"image": int(row["image_index"]), "augmentation": int(row["augmentation_index"])},
        }
        for row in spans(tasks).sort_values("begin_s").to_dict("records")
    ]
    processes = sorted({event["tid"] for event in events})
    named = [_named("thread_name", tid, f"worker {tid}") for tid in processes]
    return {"traceEvents": [_named("process_name", 0, name), *named, *events], "displayTimeUnit": "ms"}


def _named(what: str, tid: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 1, "tid": tid, "args": {"name": name}}


@mpl.rc_context(STYLE)
def timeline_figure(shown: Sequence[tuple[Any, pd.DataFrame]], title: str) -> Figure:
    """A panel for each trial (a row of trials) with its tasks, on one axis of time: what is empty
    before, between and after the stages is start-up, waiting and tail."""
    heights = [max(LEAST_PANEL, INCHES_PER_ROW * trial["workers"]) for trial, _ in shown]
    height = sum(heights) + 0.42 * len(shown) + 1.1
    figure = Figure(figsize=(7.4, height), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    present: set[str] = set()
    for axes, (trial, tasks) in zip(panels, shown, strict=True):
        present |= _panel(axes, trial, spans(tasks))
    panels[-1].set_xlabel("seconds from the call of the strategy to the last complete output")
    panels[-1].set_xlim(0, 1.01 * max(trial["wall_s"] for trial, _ in shown))
    handles = [Patch(color=COLORS[stage], label=stage) for stage in STAGES if stage in present]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _panel(axes: Axes, trial: Any, found: pd.DataFrame) -> set[str]:
    groups: Any = found.groupby(["process", "stage"])
    for (process, stage), row in groups:
        bars = list(zip(row["begin_s"], row["seconds"], strict=True))
        axes.broken_barh(bars, (process - 0.4, 0.8), color=COLORS[stage], linewidth=0, rasterized=True)
    workers, wall_s = int(trial["workers"]), float(trial["wall_s"])
    axes.axvline(wall_s, color="black", linewidth=1.2)
    axes.set_ylim(workers - 0.4, -0.6)
    axes.set_yticks(range(0, workers, max(1, workers // 8)))
    axes.grid(False, axis="y")
    axes.set_axisbelow(True)
    axes.set_ylabel("worker")
    axes.set_title(f"{label(trial['strategy'])}, {workers} workers: {wall_s:.3g} s", fontsize=10, loc="left")
    return set(found["stage"])
