"""What tasks took: by process, in sum, and stage by stage."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

STAGES = ("read", "transform", "send", "encode", "write")


@dataclass(frozen=True)
class Costs:
    """What the tasks of a trial took, all processes together; seconds but for the faults."""

    busy_s: float
    user_s: float
    system_s: float
    wait_s: float
    blocked_s: float
    reading_s: float  # of user_s, in proportion to the time of stage read
    sending_s: float  # of busy_s
    files_s: float  # of busy_s, in the stages read and write
    faults: float


def stays(tasks: pd.DataFrame) -> pd.DataFrame:
    """One row per stay of a task in a process: a task with a saver of its own (P_Q) has two.

    Columns: process, begin_s, end_s, busy_s, user_s, system_s, wait_s, faults, and the stages'."""
    apart = tasks["save_start_s"].notna()
    names = {"user_s": "cpu_user_s", "system_s": "cpu_system_s", "wait_s": "run_queue_wait_s"}
    names["faults"] = "minor_faults"
    whole = {name: tasks[column].astype(float).fillna(0.0) for name, column in names.items()}
    saver = {name: tasks[f"saver_{column}"].astype(float).fillna(0.0) for name, column in names.items()}
    first, second = ([f"{stage}_s" for stage in group] for group in (STAGES[:3], STAGES[3:]))
    own = pd.DataFrame({name: whole[name] - saver[name] for name in names}).assign(
        **{name: tasks[name] for name in first},
        **{name: tasks[name].where(~apart, 0.0) for name in second},
        process=tasks["worker"],
        begin_s=tasks["start_s"],
    )
    own["busy_s"] = own[[*first, *second]].sum(axis=1)
    own["end_s"] = tasks["end_s"].where(~apart, own["begin_s"] + own["busy_s"])
    saved = tasks[apart]
    if saved.empty:
        return own
    other = pd.DataFrame({name: saver[name][apart] for name in names}).assign(
        **dict.fromkeys(first, 0.0),
        **{name: saved[name] for name in second},
        process=saved["saver"].astype(int),
        begin_s=saved["save_start_s"].astype(float),
        busy_s=saved[second].sum(axis=1),
        end_s=saved["end_s"],
    )
    return pd.concat([own, other], ignore_index=True)


def costs(tasks: pd.DataFrame) -> Costs:
    """What the tasks took, in the mean of the trials that they are of."""
    trials = len(tasks[["cell", "repetition"]].drop_duplicates())
    each = stays(tasks)
    busy, user, system, wait = (
        each[f"{name}_s"].sum() / trials for name in ("busy", "user", "system", "wait")
    )
    share_read = np.divide(each["read_s"], each["busy_s"], out=np.zeros(len(each)), where=each["busy_s"] > 0)
    return Costs(
        busy_s=busy,
        user_s=user,
        system_s=system,
        wait_s=wait,
        blocked_s=busy - user - system - wait,
        reading_s=float((each["user_s"] * share_read).sum()) / trials,
        sending_s=float(each["send_s"].sum()) / trials,
        files_s=float(each[["read_s", "write_s"]].to_numpy().sum()) / trials,
        faults=float(each["faults"].sum()) / trials,
    )
