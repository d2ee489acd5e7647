"""One trial of each strategy as it went: workers as rows, stages as colours."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from augment.task_log.layout import STAGES
from experiments.analysis.costs import recorded
from experiments.analysis.scaling import NoTrialsError
from experiments.analysis.text import label
from experiments.report.charts import Chart, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import by_place
from experiments.store.files import DetailReader

COLORS = dict(zip(STAGES, ("#56B4E9", "#0072B2", "#CC79A7", "#E69F00", "#D55E00"), strict=True))
INCHES_PER_WORKER, PANEL_INCHES = 0.16, 0.7  # the latter at least
BARS = 20_000  # drawn at most in a panel: of a trial with more, as far as they go
SPAN_COLUMNS = ["worker", "saver", "start_s", "save_start_s", *(f"{stage}_s" for stage in STAGES)]


@section("strong_scaling", chapter="Timeline", words="One trial of each strategy as it went.", order=80)
def timeline(results: Results) -> Outputs:
    """The strategies at the largest count that the CPUs hold."""
    trials, _ = results.selected()
    traced = recorded(trials, "tasks", results.parts)
    if traced.empty:
        raise NoTrialsError("no trial has recorded tasks (trace=true)")
    shown = at_largest_count(traced)
    tasks = pd.concat(
        results.parts.of("tasks", each["trial_id"], SPAN_COLUMNS).assign(strategy=each["strategy"])
        for each in shown
    )
    yield "timeline", Chart(timeline_figure(shown, results.parts, f"{results.title}: timeline"), tasks)


def at_largest_count(trials: pd.DataFrame) -> list[dict[Any, Any]]:
    """The first trial of each strategy at the largest count of workers that the CPUs hold (else at the
    smallest), saving if that was measured."""
    trials = trials[trials["saving"] == trials["saving"].max()]
    within = trials.loc[trials["workers"] <= trials["usable_cpus"], "workers"]
    workers = trials["workers"].min() if within.empty else within.max()
    return by_place(trials[trials["workers"] == workers].drop_duplicates("strategy")).to_dict("records")


def spans(tasks: pd.DataFrame) -> pd.DataFrame:
    """Return one row per stage of a task that took time: its process, stage, begin_s (after the begin of the
    timed region) and seconds. Needs SPAN_COLUMNS."""
    at, process, stages = tasks["start_s"], tasks["worker"], []
    for stage in STAGES:
        if stage == "encode":  # the first stage that a saver of its own (P_Q) carries out
            at = tasks["save_start_s"].astype(float).fillna(at)
            process = tasks["saver"].astype("Int64").fillna(process).astype(int)
        seconds = tasks[f"{stage}_s"]
        span = pd.DataFrame({"process": process, "stage": stage, "begin_s": at, "seconds": seconds})
        stages.append(span[seconds > 0])
        at = at + seconds
    return pd.concat(stages, ignore_index=True).astype({"stage": pd.CategoricalDtype([*STAGES])})


@styled
def timeline_figure(trials: Sequence[dict[Any, Any]], parts: DetailReader, title: str) -> Figure:
    """A panel for each trial with its tasks, on one axis of time: what is empty before, between and after
    the stages is start-up, waiting and tail."""
    heights = [max(PANEL_INCHES, INCHES_PER_WORKER * trial["workers"]) for trial in trials]
    size = 7.4, sum(heights) + 0.42 * len(trials) + 1.1
    figure, column = panels(title, size, len(trials), 1, sharex=True, height_ratios=heights)
    present: set[str] = set()
    for axes, trial in zip(column, trials, strict=True):
        tasks = parts.of("tasks", trial["trial_id"], SPAN_COLUMNS)
        shown = spans(tasks).sort_values("begin_s").head(BARS)
        present |= set(shown["stage"])
        _panel(axes, trial, shown)
    column[-1].set_xlabel("seconds from the call of the strategy to the last complete output")
    column[-1].set_xlim(0, 1.01 * max(trial["wall_s"] for trial in trials))
    handles = [Patch(color=COLORS[stage], label=stage) for stage in STAGES if stage in present]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(STAGES), frameon=False)
    return figure


def _panel(axes: Axes, trial: dict[Any, Any], shown: pd.DataFrame) -> None:
    groups: Any = shown.groupby(["process", "stage"])
    for (process, stage), row in groups:
        bars = list(zip(row["begin_s"], row["seconds"], strict=True))
        axes.broken_barh(bars, (process - 0.4, 0.8), color=COLORS[stage], linewidth=0, rasterized=True)
    workers, wall_s = int(trial["workers"]), float(trial["wall_s"])
    axes.axvline(wall_s, color="black", linewidth=1.2)
    axes.set(ylim=(workers - 0.4, -0.6), yticks=range(0, workers, max(1, workers // 8)), ylabel="worker")
    axes.grid(False, axis="y")
    axes.set_axisbelow(True)
    axes.set_title(f"{label(trial['strategy'])}, {workers} workers: {wall_s:.2f} s", fontsize=10, loc="left")
