"""The causes of lost time: what each takes at most, its counter, and the ablation that removes it.

A new cause is a row of CAUSES, an ablation in conf/ablation/, and a load in experiments/calibration/ that
plants it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from augment.strategies.pool import P2

IMBALANCE, START_UP, SYSTEM_CPU, STORAGE = "load imbalance", "start-up", "system CPU", "storage"
THREADS, TRANSFER, WAITS, USER_CPU = "threads", "transfer", "waits", "cores or memory"
CORES, MEMORY = "cores", "memory"
MAX_CPU_OF_ONE_THREAD = 1.05  # CPU seconds per busy second; above it several threads of a process worked


class Cause(NamedTuple):
    """A cause of lost time."""

    name: str
    seconds: Callable[[Mapping[str, float]], float] | None  # None: measured by `interference`
    ablation: str = ""  # that removes the cause
    counter: str = ""  # column of the breakdown that the ablation at least halves
    is_provable: bool = True  # False: no calibration has shown a proof


CAUSES = (
    Cause(IMBALANCE, lambda row: row["imbalance_s"], "chunksize_1", IMBALANCE),
    Cause(START_UP, lambda row: row["startup_s"] - row["master_s"] + row["drain_s"], "fork", START_UP),
    Cause(SYSTEM_CPU, lambda row: row["system_s"], "allocator", "faults"),
    Cause(STORAGE, lambda row: row["file_blocked_s"] + row["disk_s"], "tmpfs", STORAGE, is_provable=False),
    Cause(THREADS, lambda row: row["crowded_s"], "one_thread", "opencv_threads"),
    Cause(TRANSFER, lambda row: row["transfer_s"], P2.name, TRANSFER),  # P_2 sends no pixels
    Cause(WAITS, lambda row: row["unnamed_wait_s"]),
    Cause(USER_CPU, lambda row: row["unnamed_user_s"]),  # a residual, so it is never named as a suspect
    Cause(CORES, None),
    Cause(MEMORY, None),
)
RANKED = [cause.name for cause in CAUSES if cause.seconds]
NAMED = [cause.name for cause in CAUSES if cause.name != USER_CPU]
BY_ABLATION = {cause.ablation: cause for cause in CAUSES if cause.ablation}


def suspects(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of P x T that each of RANKED takes at most in a trial; 1.0 is all.

    `row` holds the columns of the trial and its breakdown. A share includes what the reference needs for the
    work as well, because an ablation may save that too.
    """
    quantities = {**row, **_quantities(row)}
    return {each.name: max(each.seconds(quantities), 0.0) / row["total_s"] for each in CAUSES if each.seconds}


def _quantities(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds that formulas of CAUSES share, each counted once."""
    iowait_s, feeder_s, master_read_s = (
        float(np.nan_to_num(row[name])) for name in ("iowait_s", "master_threads_cpu_s", "master_read_s")
    )
    # Tasks wait for a CPU in the stages that use files as often as in the others.
    queued_s = row["wait_s"] * row["files_s"] / row["busy_s"]
    file_blocked_s = float(np.clip(row["file_wait_s"] - queued_s, 0, max(row["blocked_s"], 0)))
    blocked_s = max(row["blocked_s"] - file_blocked_s - row["sending_s"], 0)
    disk_s = min(iowait_s, blocked_s)  # a CPU idled for a disk outside the tasks' own files
    feeder_s = min(feeder_s, row["wait_s"])  # the feeder of the master's pool took the workers' CPUs
    master_s = min(row["workers"] * master_read_s, row["startup_s"])  # the workers waited for the master
    read_again_s = row["reading_s"] - row["reference_reading_s"]
    wait_s = row["wait_s"] - feeder_s + blocked_s - disk_s
    user_s = row["extra_user_s"] - read_again_s
    # The reference has all CPUs, so it shows whether helper threads work. Those beyond the CPUs of the trial
    # wait for CPUs, are waited for, and spin meanwhile.
    at_work = (row["reference_user_s"] + row["reference_system_s"]) / row["reference_busy_s"]
    threads = max(at_work, float(row["opencv_threads"])) if at_work > MAX_CPU_OF_ONE_THREAD else 1.0
    is_crowded = threads * row["workers"] > row["usable_cpus"]
    return {
        "file_blocked_s": file_blocked_s,
        "disk_s": disk_s,
        "master_s": master_s,
        "transfer_s": row["sending_s"] + row["gaps_s"] + master_s + feeder_s + max(read_again_s, 0),
        "crowded_s": max(wait_s, 0.0) + max(user_s, 0.0) if is_crowded else 0.0,
        "unnamed_wait_s": 0.0 if is_crowded else wait_s,
        "unnamed_user_s": 0.0 if is_crowded else user_s,
    }
