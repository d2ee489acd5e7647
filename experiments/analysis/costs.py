"""What the tasks of a trial took: by process, in sum, and stage by stage."""

import numpy as np
import pandas as pd

from augment.recording.log import STAGES
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
    *(f"{part}{column}" for part in ("", "saver_") for column in COUNTERS.values()),
]


def total_costs(stays: pd.DataFrame) -> "pd.Series[float]":
    """What the tasks of a trial took, all processes together, from its stays; seconds but for the faults."""
    total = stays[["busy_s", *COUNTERS, *STAGE_COLUMNS]].sum()
    share_read = stays["read_s"] / stays["busy_s"].where(stays["busy_s"] > 0, np.inf)
    busy_s, user_s, system_s, wait_s = total[["busy_s", "user_s", "system_s", "wait_s"]]
    return pd.Series(
        {
            **{"busy_s": busy_s, "user_s": user_s, "system_s": system_s, "wait_s": wait_s},
            "blocked_s": busy_s - user_s - system_s - wait_s,
            "reading_s": (stays["user_s"] * share_read).sum(),  # of user_s, as the time of stage read
            "sending_s": total["send_s"],  # of busy_s
            "files_s": total["read_s"] + total["write_s"],  # of busy_s
            "faults": total["faults"],
        }
    )


def recorded(trials: pd.DataFrame, table: str, parts: Parts) -> pd.DataFrame:
    """The ok trials of which that part (tasks, transforms, …) was recorded."""
    ok = trials[trials["status"] == OK]
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
    first = (whole - saver).assign(
        **{name: tasks[name] for name in WORKER_STAGES},
        **{name: tasks[name].where(~apart, 0.0) for name in SAVER_STAGES},
        process=tasks["worker"],
        begin_s=tasks["start_s"],
    )
    first["busy_s"] = first[STAGE_COLUMNS].sum(axis=1)
    first["end_s"] = tasks["end_s"].where(~apart, first["begin_s"] + first["busy_s"])
    saved = tasks[apart]
    if saved.empty:
        return first
    second = saver[apart].assign(
        **dict.fromkeys(WORKER_STAGES, 0.0),
        **{name: saved[name] for name in SAVER_STAGES},
        process=saved["saver"].astype(int),
        begin_s=saved["save_start_s"].astype(float),
        busy_s=saved[SAVER_STAGES].sum(axis=1),
        end_s=saved["end_s"],
    )
    return pd.concat([first, second], ignore_index=True)
