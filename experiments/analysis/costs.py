"""The costs of a trial's tasks: by process, in sum, and stage by stage."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augment.task_log.layout import STAGES
from experiments.store.files import DetailReader

STAGE_COLUMNS = [f"{stage}_s" for stage in STAGES]
WORKER_STAGES, SAVER_STAGES = STAGE_COLUMNS[:3], STAGE_COLUMNS[3:]  # with savers of their own (P_Q)
COUNTERS = {  # name in Visits: column of tasks
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

Visits = dict[str, NDArray[np.float64]]


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
    costs = _costs(by_visit) | {"file_wait_s": float(tasks["file_wait_s"].sum())}  # of files_s
    times_s = busy_s.max(), begin_s.min(), end_s.max(), (end_s - begin_s).sum()
    return TaskTotals(len(tasks), costs, *map(float, times_s))


def _costs(by_visit: Visits) -> dict[str, float]:
    total = {name: float(values.sum()) for name, values in by_visit.items()}
    busy_s = by_visit["busy_s"]
    read_share = by_visit["read_s"] / np.where(busy_s > 0, busy_s, np.inf)
    return {
        **{name: total[name] for name in ("busy_s", *COUNTERS)},
        "blocked_s": total["busy_s"] - total["user_s"] - total["system_s"] - total["wait_s"],
        "reading_s": float((by_visit["user_s"] * read_share).sum()),  # of user_s, as stage read of busy_s
        "sending_s": total["send_s"],  # of busy_s
        "files_s": total["read_s"] + total["write_s"],  # of busy_s, waits for a CPU included
    }


def visits(tasks: pd.DataFrame) -> Visits:
    """Return numbers of each visit of a task to a process: one visit, or two with a saver of its own (P_Q).

    The names are process, begin_s, end_s, busy_s, COUNTERS and the stages. The values are arrays, because
    reports ask for hundreds of trials of a few dozen tasks, for which frames are slow.
    """
    column = {name: tasks[name].to_numpy(float, na_value=np.nan) for name in COLUMNS}
    has_saver = ~np.isnan(column["save_start_s"])
    stages = {name: np.nan_to_num(column[name]) for name in STAGE_COLUMNS}
    saver = {name: np.nan_to_num(column[f"saver_{counter}"]) for name, counter in COUNTERS.items()}
    worker = {name: np.nan_to_num(column[counter]) - saver[name] for name, counter in COUNTERS.items()}
    worker |= stages | {name: np.where(has_saver, 0.0, stages[name]) for name in SAVER_STAGES}
    worker |= {"process": column["process"], "begin_s": column["start_s"]}
    worker["end_s"] = np.where(has_saver, np.nan, column["end_s"])  # with a saver: begin and stages
    saver |= stages | dict.fromkeys(WORKER_STAGES, np.zeros(len(tasks)))
    saver |= {
        "process": column["saving_process"],
        "begin_s": column["save_start_s"],
        "end_s": column["end_s"],
    }
    both = {name: np.concatenate([worker[name], saver[name][has_saver]]) for name in worker}
    both["busy_s"] = np.sum([both[name] for name in STAGE_COLUMNS], axis=0)
    both["end_s"] = np.where(np.isnan(both["end_s"]), both["begin_s"] + both["busy_s"], both["end_s"])
    return both
