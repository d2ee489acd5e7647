"""What a strategy spends beside its tasks, and holds in memory, as images and workers grow."""

from typing import Any, NamedTuple

import pandas as pd

from experiments.analysis.scaling import ENDS, NoTrialsError, require
from experiments.analysis.select import select
from experiments.analysis.statistics import BlockModel
from experiments.records.schema import OK
from experiments.records.store import Parts

AXES = ("strategy", "workers", "n_images")
SPAN = ["worker", "start_s", "end_s"]
MEASURES = ("coordination_s", "process_bytes")


class Cell(NamedTuple):
    """What the model calls a cell."""

    strategy: str
    workers: int
    n_images: int


def growth(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """A row per strategy, workers and n_images: `coordination_s`, the median of the seconds between two tasks
    of a worker, and `process_bytes`, the peak memory of a process in the mean of all, with their intervals.
    Raises NoTrialsError."""
    require(trials)
    ok = pd.concat(select(block, AXES)[0] for _, block in trials[trials["status"] == OK].groupby("n_images"))
    ok = ok.assign(
        coordination_s=[between_tasks_s(parts.of("tasks", each, SPAN)) for each in ok["trial_id"]],
        process_bytes=ok["peak_rss_bytes"] / ok["processes"],
    ).dropna(subset="coordination_s")
    if ok.empty:
        raise NoTrialsError("no tasks were recorded: run `make growth`")
    names = [Cell(*each) for each in ok[[*AXES]].itertuples(index=False)]
    blocks = list(zip(ok["sweep"], ok["round"], strict=True))
    rows: list[dict[str, Any]] = [cell._asdict() for cell in dict.fromkeys(names)]
    points = pd.DataFrame(rows)
    for measure in MEASURES:
        model = BlockModel(names, blocks, ok[measure])
        ends = [model.level(cell).ratio() for cell in dict.fromkeys(names)]
        points[[f"{measure}{end}" for end in ENDS]] = pd.DataFrame(ends)
    return points.sort_values([*AXES], ignore_index=True)


def between_tasks_s(tasks: pd.DataFrame) -> float:
    """The median of the seconds from the end of a task to the begin of the same worker's next one."""
    ordered = tasks.sort_values(["worker", "start_s"], kind="stable")
    gaps = ordered["start_s"] - ordered.groupby("worker")["end_s"].shift()
    return float(gaps.median())
