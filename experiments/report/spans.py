"""The stages of tasks as spans of time, and as traces for ui.perfetto.dev and chrome://tracing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from augment.recording.log import STAGES
from experiments.analysis.costs import recorded
from experiments.analysis.text import with_or_without
from experiments.report.results import Results

SAVERS_STAGES = ("encode", "write")  # that a saver of its own carries out
TASK = ["image_index", "augmentation_index"]
SPAN_COLUMNS = ["worker", "saver", "start_s", "save_start_s", *(f"{stage}_s" for stage in STAGES)]
MICROSECONDS = 1e6


def spans(tasks: pd.DataFrame) -> pd.DataFrame:
    """One row per stage of a task that took time: process, stage, begin_s and seconds (after the begin of
    the timed region), and of TASK what the tasks have. Needs SPAN_COLUMNS."""
    named = tasks[[name for name in TASK if name in tasks]]
    at, process, stages = tasks["start_s"], tasks["worker"], []
    for stage in STAGES:
        if stage == SAVERS_STAGES[0]:
            at = tasks["save_start_s"].astype(float).fillna(at)
            process = tasks["saver"].astype("Int64").fillna(process).astype(int)
        seconds = tasks[f"{stage}_s"]
        each = named.assign(process=process, stage=stage, begin_s=at, seconds=seconds)
        stages.append(each[seconds > 0])
        at = at + seconds
    return pd.concat(stages, ignore_index=True).astype({"stage": pd.CategoricalDtype([*STAGES])})


def write_traces(results: Results) -> Iterator[Path]:
    """Writes the first ok trial of every cell that has recorded tasks as Chrome trace events, a process's
    tasks in a row of their own."""
    folder = results.folder / "traces" / results.experiment
    traced = recorded(results.trials, "tasks", results.parts)
    for trial in traced.drop_duplicates("cell").to_dict("records"):
        saving = with_or_without(trial["saving"]).replace(" ", "_")
        name = f"{trial['strategy']}-{trial['workers']}-{saving}-{trial['cell']}"
        tasks = results.parts.of("tasks", trial["trial_id"], [*TASK, *SPAN_COLUMNS])
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.json"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(trace(tasks, name))
        yield path


def trace(tasks: pd.DataFrame, name: str) -> Iterator[str]:
    """The lines of a JSON file of complete events, in the order of their begin; times in microseconds."""
    shown = spans(tasks).sort_values("begin_s")
    yield '{"displayTimeUnit": "ms", "traceEvents": [\n' + json.dumps(_named("process_name", 0, name))
    for process in sorted(set(shown["process"])):
        yield ",\n" + json.dumps(_named("thread_name", process, f"worker {process}"))
    rows: Iterator[Any] = shown.itertuples(index=False)
    for row in rows:
        times = {"ts": round(row.begin_s * MICROSECONDS, 3), "dur": round(row.seconds * MICROSECONDS, 3)}
        event = {"name": row.stage, "cat": "task", "ph": "X", "pid": 1, "tid": row.process, **times}
        args = {"image": row.image_index, "augmentation": row.augmentation_index}
        yield ",\n" + json.dumps(event | {"args": args})
    yield "\n]}\n"


def _named(what: str, process: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 1, "tid": int(process), "args": {"name": name}}
