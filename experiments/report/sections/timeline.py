"""One trial of each strategy over time, with workers as rows and stages as colours."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from augment.task_log.layout import STAGES
from experiments.analysis.select import NoTrialsError, traced
from experiments.report.charts import Chart, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import by_place
from experiments.report.texts import label
from experiments.store.files import DetailReader

COLORS = dict(zip(STAGES, ("#56B4E9", "#0072B2", "#CC79A7", "#E69F00", "#D55E00"), strict=True))
WORKER_INCHES, MIN_PANEL_INCHES = 0.16, 0.7
MAX_BARS = 20_000  # in a panel; later stages are left out
SPAN_COLUMNS = ["process", "saving_process", "start_s", "save_start_s", *(f"{stage}_s" for stage in STAGES)]


@section("strong_scaling", chapter="Timeline", words="One trial of each strategy over time.", order=80)
def timeline(results: Results) -> Outputs:
    """Yield the stages of each strategy at the largest worker count within the CPUs."""
    trials, _ = results.selected()
    with_tasks = traced(trials, results.parts)
    if with_tasks.empty:
        raise NoTrialsError("no trial has recorded tasks (trace=true)")
    chosen = at_largest_count(with_tasks)
    tasks = pd.concat(
        results.parts.of("tasks", trial["trial_id"], SPAN_COLUMNS).assign(strategy=trial["strategy"])
        for trial in chosen
    )
    yield "timeline", Chart(timeline_figure(chosen, results.parts, f"{results.title}: timeline"), tasks)


def at_largest_count(trials: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the first trial of each strategy at the largest worker count within the CPUs.

    If no count is within the CPUs, take the smallest. Prefer trials with saving.
    """
    trials = trials[trials["saving"] == trials["saving"].max()]
    within = trials.loc[trials["workers"] <= trials["usable_cpus"], "workers"]
    workers = trials["workers"].min() if within.empty else within.max()
    return by_place(trials[trials["workers"] == workers].drop_duplicates("strategy")).to_dict("records")


def spans(tasks: pd.DataFrame) -> pd.DataFrame:
    """Return a row per stage of a task that took time: process, stage, begin_s and seconds.

    `begin_s` counts from the begin of the timed region. Needs SPAN_COLUMNS.
    """
    at, process, stages = tasks["start_s"], tasks["process"], []
    for stage in STAGES:
        if stage == "encode":  # the first stage that a separate saver (P_Q) carries out
            at = tasks["save_start_s"].astype(float).fillna(at)
            process = tasks["saving_process"].astype("Int64").fillna(process).astype(int)
        seconds = tasks[f"{stage}_s"]
        span = pd.DataFrame({"process": process, "stage": stage, "begin_s": at, "seconds": seconds})
        stages.append(span[seconds > 0])
        at = at + seconds
    return pd.concat(stages, ignore_index=True).astype({"stage": pd.CategoricalDtype([*STAGES])})


@styled
def timeline_figure(trials: Sequence[dict[Any, Any]], parts: DetailReader, title: str) -> Figure:
    """Draw a panel per trial, on one time axis; gaps are start-up, waiting and drain."""
    heights = [max(MIN_PANEL_INCHES, WORKER_INCHES * trial["workers"]) for trial in trials]
    size = 7.4, sum(heights) + 0.42 * len(trials) + 1.1
    figure, column = panels(title, size, len(trials), 1, sharex=True, height_ratios=heights)
    present: set[str] = set()
    for axes, trial in zip(column, trials, strict=True):
        tasks = parts.of("tasks", trial["trial_id"], SPAN_COLUMNS)
        bars = spans(tasks).sort_values("begin_s").head(MAX_BARS)
        present |= set(bars["stage"])
        _panel(axes, trial, bars)
    column[-1].set_xlabel("seconds from the call of the strategy to the last complete output")
    column[-1].set_xlim(0, 1.01 * max(trial["wall_s"] for trial in trials))
    handles = [Patch(color=COLORS[stage], label=stage) for stage in STAGES if stage in present]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(STAGES), frameon=False)
    return figure


def _panel(axes: Axes, trial: dict[Any, Any], bars: pd.DataFrame) -> None:
    groups: Any = bars.groupby(["process", "stage"])
    for (process, stage), rows in groups:
        ranges = list(zip(rows["begin_s"], rows["seconds"], strict=True))
        axes.broken_barh(ranges, (process - 0.4, 0.8), color=COLORS[stage], linewidth=0, rasterized=True)
    workers, wall_s = int(trial["workers"]), float(trial["wall_s"])
    axes.axvline(wall_s, color="black", linewidth=1.2)
    axes.set(ylim=(workers - 0.4, -0.6), yticks=range(0, workers, max(1, workers // 8)), ylabel="worker")
    axes.grid(False, axis="y")
    axes.set_axisbelow(True)
    axes.set_title(f"{label(trial['strategy'])}, {workers} workers: {wall_s:.2f} s", fontsize=10, loc="left")
