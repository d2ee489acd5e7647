"""The costs of a trial's tasks: by process, in sum, and stage by stage."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augment.task_log.layout import STAGES
from experiments.store.files import DetailReader

STAGE_COLUMNS = [f"{stage}_s" for stage in STAGES]
SAVER_STAGES = STAGE_COLUMNS[3:]  # if there are savers (P_Q)
COUNTERS = {  # name in `visits`: column of tasks
    "user_s": "cpu_user_s",
    "system_s": "cpu_system_s",
    "wait_s": "run_queue_wait_s",
    "faults": "minor_faults",
}
COLUMNS = [  # of tasks
    *("process", "saving_process", "start_s", "save_start_s", "end_s"),
    *STAGE_COLUMNS,
    "file_wait_s",
    *(f"{part}{column}" for part in ("", "saver_") for column in COUNTERS.values()),
]

Array = NDArray[np.float64]


class TaskTotals(NamedTuple):
    """The costs of all tasks of a trial, and the times of its busiest process in seconds."""

    tasks: int
    costs: dict[str, float]  # of all processes, in seconds, but for the faults
    busiest_s: float
    first_s: float  # begin of its first task
    last_s: float  # end of its last task
    inside_s: float  # in its tasks


@lru_cache(maxsize=4096)  # a record never changes
def task_totals(parts: DetailReader, trial_id: str) -> TaskTotals:
    """Return the totals of a trial whose tasks were recorded."""
    tasks = parts.of("tasks", trial_id, COLUMNS)
    by_visit = visits(tasks)
    _, process = np.unique(by_visit["process"], return_inverse=True)
    busy_s = np.bincount(process, by_visit["busy_s"])
    is_busiest = process == busy_s.argmax()
    begin_s, end_s = by_visit["begin_s"][is_busiest], by_visit["end_s"][is_busiest]
    total = {name: float(values.sum()) for name, values in by_visit.items()}
    read_share = by_visit["read_s"] / np.where(by_visit["busy_s"] > 0, by_visit["busy_s"], np.inf)
    costs = {
        **{name: total[name] for name in ("busy_s", *COUNTERS)},
        "blocked_s": total["busy_s"] - total["user_s"] - total["system_s"] - total["wait_s"],
        "reading_s": float((by_visit["user_s"] * read_share).sum()),  # of user_s, as stage read of busy_s
        "sending_s": total["send_s"],  # of busy_s
        "files_s": total["read_s"] + total["write_s"],  # of busy_s, waits for a CPU included
        "file_wait_s": float(tasks["file_wait_s"].sum()),  # of files_s
    }
    times_s = busy_s.max(), begin_s.min(), end_s.max(), (end_s - begin_s).sum()
    return TaskTotals(len(tasks), costs, *map(float, times_s))


def visits(tasks: pd.DataFrame) -> dict[str, Array]:
    """Return numbers of each visit of a task to a process: one visit, or two with a saver of its own (P_Q).

    The names are process, begin_s, end_s, busy_s, COUNTERS and the stages. The values are arrays, because
    reports ask for hundreds of trials of a few dozen tasks, for which frames are slow.
    """
    column = {name: tasks[name].to_numpy(float, na_value=np.nan) for name in COLUMNS}
    zero_or = {name: np.nan_to_num(values) for name, values in column.items()}
    has_saver = ~np.isnan(column["save_start_s"])

    def both(worker: Array, saver: Array) -> Array:
        return np.concatenate([worker, saver[has_saver]])

    result = {
        "process": both(column["process"], column["saving_process"]),
        "begin_s": both(column["start_s"], column["save_start_s"]),
    }
    for name, counter in COUNTERS.items():
        saver = zero_or[f"saver_{counter}"]
        result[name] = both(zero_or[counter] - saver, saver)
    for name in STAGE_COLUMNS:
        in_saver = has_saver & (name in SAVER_STAGES)
        result[name] = both(np.where(in_saver, 0.0, zero_or[name]), np.where(in_saver, zero_or[name], 0.0))
    result["busy_s"] = np.sum([result[name] for name in STAGE_COLUMNS], axis=0)
    handed_over_s = (result["begin_s"] + result["busy_s"])[: len(tasks)]
    result["end_s"] = both(np.where(has_saver, handed_over_s, column["end_s"]), column["end_s"])
    return result


def shares_of_a_task(parts: DetailReader, trial_id: str) -> dict[str, float]:
    """Return the shares of the tasks' seconds of a trial: of each stage by name, then of each transform."""
    tasks = parts.of("tasks", trial_id, STAGE_COLUMNS)[STAGE_COLUMNS].sum()
    calls = parts.of("transforms", trial_id)
    transforms = (calls["seconds"] * calls["weight"]).groupby(calls["transform"]).sum()
    seconds = pd.concat([tasks.rename(lambda name: name.removesuffix("_s")), transforms])
    return {str(name): float(share) for name, share in (seconds / tasks.sum()).items()} if tasks.sum() else {}
