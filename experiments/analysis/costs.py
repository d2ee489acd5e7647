"""The costs of a trial's tasks: by process, in sum, and stage by stage."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augment.task_log.layout import STAGES
from experiments.store.files import DetailReader

STAGE_COLUMNS = [f"{stage}_s" for stage in STAGES]
SAVER_STAGES = STAGE_COLUMNS[3:]  # if there are savers (P_Q)
COUNTERS = {  # name in `TaskTotals.costs`: column of tasks
    "user_s": "cpu_user_s",
    "system_s": "cpu_system_s",
    "wait_s": "run_queue_wait_s",
    "faults": "minor_faults",
}
COLUMNS = ["process", "saving_process", "start_s", "save_start_s", "end_s", "file_wait_s"]  # of tasks
COLUMNS += [*STAGE_COLUMNS, *COUNTERS.values()]

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
    column = {name: tasks[name].to_numpy(float, na_value=np.nan) for name in COLUMNS}
    process, begin_s, end_s, busy_s = visits(column)
    _, number = np.unique(process, return_inverse=True)
    process_s = np.bincount(number, busy_s)
    is_busiest = number == process_s.argmax()
    total = {name: float(np.nan_to_num(values).sum()) for name, values in column.items()}
    counted = {name: total[counter] for name, counter in COUNTERS.items()}
    task_s = np.sum([column[name] for name in STAGE_COLUMNS], axis=0)
    read_share = column["read_s"] / np.where(task_s > 0, task_s, np.inf)
    costs = {
        "busy_s": float(busy_s.sum()),
        **counted,
        "blocked_s": float(busy_s.sum()) - counted["user_s"] - counted["system_s"] - counted["wait_s"],
        "reading_s": float((column["cpu_user_s"] * read_share).sum()),  # of user_s, as stage read of busy_s
        "sending_s": total["send_s"],  # of busy_s
        "files_s": total["read_s"] + total["write_s"],  # of busy_s, waits for a CPU included
        "file_wait_s": total["file_wait_s"],  # of files_s
    }
    of_busiest = begin_s[is_busiest].min(), end_s[is_busiest].max(), (end_s - begin_s)[is_busiest].sum()
    return TaskTotals(len(tasks), costs, *map(float, (process_s.max(), *of_busiest)))


def visits(column: Mapping[str, Array]) -> tuple[Array, ...]:
    """Return process, begin, end and busy seconds of each visit of a task to a process.

    A task visits one process, or two with a saver of its own (P_Q). `column` holds arrays, because reports
    ask for hundreds of trials of a few dozen tasks, for which frames are slow.
    """
    has_saver = ~np.isnan(column["save_start_s"])
    saving_s = np.where(has_saver, np.sum([column[name] for name in SAVER_STAGES], axis=0), 0.0)
    busy_s = np.sum([column[name] for name in STAGE_COLUMNS], axis=0) - saving_s
    handed_over_s = np.where(has_saver, column["start_s"] + busy_s, column["end_s"])
    worker = column["process"], column["start_s"], handed_over_s, busy_s
    saver = column["saving_process"], column["save_start_s"], column["end_s"], saving_s
    return tuple(np.concatenate([own, saved[has_saver]]) for own, saved in zip(worker, saver, strict=True))


def shares_of_a_task(parts: DetailReader, trial_id: str) -> dict[str, float]:
    """Return the shares of the tasks' seconds of a trial: of each stage by name, then of each transform."""
    tasks = parts.of("tasks", trial_id, STAGE_COLUMNS)[STAGE_COLUMNS].sum()
    calls = parts.of("transforms", trial_id)
    transforms = (calls["seconds"] * calls["weight"]).groupby(calls["transform"]).sum()
    seconds = pd.concat([tasks.rename(lambda name: name.removesuffix("_s")), transforms])
    return {str(name): float(share) for name, share in (seconds / tasks.sum()).items()} if tasks.sum() else {}
