"""What the tasks of a trial took: by process, in sum, and stage by stage."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from augment.recording.log import STAGES
from experiments.analysis.scaling import INSTRUMENTS
from experiments.records.schema import OK
from experiments.records.store import Parts

STAGE_COLUMNS = [f"{stage}_s" for stage in STAGES]
WORKER_STAGES, SAVER_STAGES = STAGE_COLUMNS[:3], STAGE_COLUMNS[3:]  # where a saver of its own saves (P_Q)
COUNTERS = {  # name in `stays`: column of tasks
    "user_s": "cpu_user_s",
    "system_s": "cpu_system_s",
    "wait_s": "run_queue_wait_s",
    "faults": "minor_faults",
}
COLUMNS = [  # of tasks that `stays` reads
    *("worker", "saver", "start_s", "save_start_s", "end_s"),
    *STAGE_COLUMNS,
    "file_wait_s",
    *(f"{part}{column}" for part in ("", "saver_") for column in COUNTERS.values()),
]


class Done(NamedTuple):
    """What the tasks of a trial took in all, and how its busiest process spent its time."""

    tasks: int
    costs: "pd.Series[float]"  # all processes together; seconds but for the faults
    busy_s: float  # of all processes
    busiest_s: float
    first_s: float  # of the busiest one: begin of its first task, end of its last one, and all between these
    last_s: float
    inside_s: float


@lru_cache(maxsize=4096)  # a record never changes
def done(parts: Parts, trial_id: str) -> Done:
    """Of one recorded trial."""
    return done_of(parts.of("tasks", trial_id, COLUMNS))


def done_of(tasks: pd.DataFrame) -> Done:
    """Of the tasks of a trial, with COLUMNS."""
    each = stays(tasks)
    busy = each.groupby("process")["busy_s"].sum()
    longest = each[each["process"] == busy.idxmax()]
    inside_s = (longest["end_s"] - longest["begin_s"]).sum()
    ends = longest["begin_s"].min(), longest["end_s"].max()
    return Done(len(tasks), _costs(each, tasks), busy.sum(), busy.max(), *ends, inside_s)


def _costs(each: pd.DataFrame, tasks: pd.DataFrame) -> "pd.Series[float]":
    total = each[["busy_s", *COUNTERS, *STAGE_COLUMNS]].sum()
    share_read = each["read_s"] / each["busy_s"].where(each["busy_s"] > 0, np.inf)
    costs = total[["busy_s", *COUNTERS]]
    costs["blocked_s"] = costs["busy_s"] - costs[["user_s", "system_s", "wait_s"]].sum()
    costs["reading_s"] = (each["user_s"] * share_read).sum()  # of user_s, as the time of stage read
    costs["sending_s"] = total["send_s"]  # of busy_s
    useful_s = (each["busy_s"] - each["send_s"]).groupby(each["process"]).sum()
    costs["useful_s"], costs["useful_largest_s"] = useful_s.sum(), useful_s.max()
    costs["files_s"] = total["read_s"] + total["write_s"]  # of busy_s
    costs["file_wait_s"] = tasks["file_wait_s"].sum()  # of files_s, run-queue wait included
    return costs


def recorded(trials: pd.DataFrame, table: str, parts: Parts) -> pd.DataFrame:
    """The ok trials of strategies, not instruments, of which that part (tasks, transforms) was recorded."""
    ok = trials[(trials["status"] == OK) & ~trials["strategy"].isin(INSTRUMENTS)]
    return ok[ok["trial_id"].map(lambda trial_id: parts.has(table, trial_id)).astype(bool)]


def stays(tasks: pd.DataFrame) -> pd.DataFrame:
    """One row per stay of a task (with COLUMNS) in a process, two with a saver of its own (P_Q): process,
    begin_s, end_s, busy_s, those of COUNTERS and of the stages."""
    apart = tasks["save_start_s"].notna()
    whole, saver = (
        tasks[[f"{side}{column}" for column in COUNTERS.values()]]
        .set_axis([*COUNTERS], axis=1)
        .astype(float)
        .fillna(0.0)
        for side in ("", "saver_")
    )
    saving = tasks[SAVER_STAGES]
    first = (whole - saver).join(tasks[WORKER_STAGES]).join(saving.mask(apart, 0.0))
    second = saver.assign(**dict.fromkeys(WORKER_STAGES, 0.0)).join(saving)
    each = [
        first.assign(process=tasks["worker"], begin_s=tasks["start_s"], end_s=tasks["end_s"].mask(apart)),
        second.assign(process=tasks["saver"], begin_s=tasks["save_start_s"], end_s=tasks["end_s"])[apart],
    ]
    rows = pd.concat(each if apart.any() else each[:1], ignore_index=True).astype({"process": int})
    rows["busy_s"] = rows[STAGE_COLUMNS].sum(axis=1)
    return rows.fillna({"end_s": rows["begin_s"] + rows["busy_s"]})
