"""What the tasks of a trial took: by process, in sum, and stage by stage."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augment.task_log.layout import STAGES
from experiments.analysis.scaling import INSTRUMENTS
from experiments.analysis.select import ok_trials
from experiments.store.files import DetailReader

STAGE_COLUMNS = [f"{stage}_s" for stage in STAGES]
WORKER_STAGES, SAVER_STAGES = STAGE_COLUMNS[:3], STAGE_COLUMNS[3:]  # where a saver of its own saves (P_Q)
COUNTERS = {  # name in `visits`: column of tasks
    "user_s": "cpu_user_s",
    "system_s": "cpu_system_s",
    "wait_s": "run_queue_wait_s",
    "faults": "minor_faults",
}
COLUMNS = [  # of tasks that `visits` reads
    *("worker", "saver", "start_s", "save_start_s", "end_s"),
    *STAGE_COLUMNS,
    "file_wait_s",
    *(f"{part}{column}" for part in ("", "saver_") for column in COUNTERS.values()),
]


Visits = dict[str, NDArray[np.float64]]


class TaskTotals(NamedTuple):
    """What the tasks of a trial took in all, and how its busiest process spent its time."""

    tasks: int
    costs: dict[str, float]  # all processes together; seconds but for the faults
    busy_s: float  # of all processes
    busiest_s: float
    first_s: float  # of the busiest one: begin of its first task, end of its last one, and all between these
    last_s: float
    inside_s: float


@lru_cache(maxsize=4096)  # a record never changes
def recorded_totals(parts: DetailReader, trial_id: str) -> TaskTotals:
    """Of one recorded trial."""
    return task_totals(parts.of("tasks", trial_id, COLUMNS))


def task_totals(tasks: pd.DataFrame) -> TaskTotals:
    """Of the tasks of a trial, with COLUMNS."""
    each = visits(tasks)
    _, process = np.unique(each["process"], return_inverse=True)
    busy_s = np.bincount(process, each["busy_s"])
    longest = process == busy_s.argmax()
    begin_s, end_s = each["begin_s"][longest], each["end_s"][longest]
    costs = _costs(each, process) | {"file_wait_s": float(tasks["file_wait_s"].sum())}  # of files_s
    sums = busy_s.sum(), busy_s.max(), begin_s.min(), end_s.max(), (end_s - begin_s).sum()
    return TaskTotals(len(tasks), costs, *map(float, sums))


def _costs(each: Visits, process: NDArray[np.intp]) -> dict[str, float]:
    total = {name: float(each[name].sum()) for name in ("busy_s", *COUNTERS, *STAGE_COLUMNS)}
    share_read = each["read_s"] / np.where(each["busy_s"] > 0, each["busy_s"], np.inf)
    useful_s = np.bincount(process, each["busy_s"] - each["send_s"])
    return {
        **{name: total[name] for name in ("busy_s", *COUNTERS)},
        "blocked_s": total["busy_s"] - total["user_s"] - total["system_s"] - total["wait_s"],
        "reading_s": float((each["user_s"] * share_read).sum()),  # of user_s, as the time of stage read
        "sending_s": total["send_s"],  # of busy_s
        "useful_s": float(useful_s.sum()),
        "useful_largest_s": float(useful_s.max()),
        "files_s": total["read_s"] + total["write_s"],  # of busy_s; with what waits in it for a CPU
    }


def recorded(trials: pd.DataFrame, table: str, parts: DetailReader) -> pd.DataFrame:
    """The ok trials of strategies, not instruments, of which that part (tasks, transforms) was recorded."""
    ok = ok_trials(trials[~trials["strategy"].isin(INSTRUMENTS)])
    return ok[ok["trial_id"].map(lambda trial_id: parts.has(table, trial_id)).astype(bool)]


def visits(tasks: pd.DataFrame) -> Visits:
    """A number per stay of a task (with COLUMNS) in a process, two with a saver of its own (P_Q): process,
    begin_s, end_s, busy_s, those of COUNTERS and of the stages. Arrays, not a table: reports ask for
    hundreds of trials of a few dozen tasks."""
    of = {name: tasks[name].to_numpy(float, na_value=np.nan) for name in COLUMNS}
    apart = ~np.isnan(of["save_start_s"])
    saver = {name: np.nan_to_num(of[f"saver_{column}"]) for name, column in COUNTERS.items()}
    stages = {name: np.nan_to_num(of[name]) for name in STAGE_COLUMNS}
    first = {name: np.nan_to_num(of[column]) - saver[name] for name, column in COUNTERS.items()}
    first |= stages | {name: np.where(apart, 0.0, stages[name]) for name in SAVER_STAGES}
    first |= {"process": of["worker"], "begin_s": of["start_s"]}
    first |= {"end_s": np.where(apart, np.nan, of["end_s"])}  # begin and stages, then
    second = saver | stages | dict.fromkeys(WORKER_STAGES, np.zeros(len(tasks)))
    second |= {"process": of["saver"], "begin_s": of["save_start_s"], "end_s": of["end_s"]}
    each = {name: np.concatenate([first[name], second[name][apart]]) for name in first}
    each["busy_s"] = np.sum([each[name] for name in STAGE_COLUMNS], axis=0)
    each["end_s"] = np.where(np.isnan(each["end_s"]), each["begin_s"] + each["busy_s"], each["end_s"])
    return each
