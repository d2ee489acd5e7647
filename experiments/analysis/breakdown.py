"""The time breakdown: where the P x T worker-seconds of a trial went, split without remainder.

Of P workers for T seconds the tasks kept them busy for B, and the sequential reference of the same round
needed `reference_s` for the same tasks:

    P T = reference + extra (user + system + wait + blocked) + imbalance + start-up + gaps + drain

- extra: what the tasks took more than in the reference: user CPU, system CPU, run-queue wait (of which
  `others_s` as far as other processes used these CPUs), and blocked = busy - CPU - wait, a residual (of
  which `steal_s` as far as the hypervisor gave the CPUs away). CPU seconds are those of all threads of a
  process: with helper threads blocked is negative by what these did.
- imbalance: the busiest worker's seconds less each worker's, summed;
- start-up, gaps, drain: P times what the busiest worker was idle before, between and after its tasks.

Negative parts are kept. It ranks suspects (`suspects`) and proves nothing: that is for ablations.
"""

from typing import Any

import numpy as np
import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.costs import TaskTotals, recorded, recorded_totals
from experiments.analysis.scaling import STRONG
from experiments.store.files import DetailReader

TOLERANCE = 0.005  # of P x T
KINDS = ("user_s", "system_s", "wait_s", "blocked_s")  # of what tasks take
PARTS = (
    *("reference_s", "extra_user_s", "extra_system_s", "extra_wait_s", "others_s", "extra_blocked_s"),
    *("steal_s", "imbalance_s", "startup_s", "gaps_s", "drain_s"),
)
ROUND = ("sweep", "round")
TRIAL = (*STRONG, "ablation", "trial_id", *ROUND, "wall_s", "usable_cpus", "opencv_threads")
MAX_CPU_OF_ONE_THREAD = 1.05  # CPU seconds per busy second: more than one thread of a process was at work
IMBALANCE, TRANSFER, START_UP, SYSTEM_CPU = "load imbalance", "transfer", "start-up", "system CPU"
STORAGE, THREADS, WAITS, CONTENTION = "storage", "threads", "waits", "cores or memory"


class BreakdownError(ValueError):
    """The tasks of a trial do not fit its time; the message names the trial."""


def breakdown(trial: Any, own: TaskTotals, reference: Any) -> dict[str, float]:
    """The breakdown of one trial (a row of trials) from what its tasks and those of the sequential reference,
    in the mean, took: total_s and PARTS in worker-seconds, the costs of its tasks, and those
    of the reference as `reference_…`.

    Raises BreakdownError where the tasks are not all there, or the parts do not sum to P x T."""
    where = f"{trial['strategy']} at {trial['workers']} workers, trial {trial['trial_id']}"
    if own.tasks != trial["tasks"]:
        raise BreakdownError(f"{where}: {own.tasks} tasks are recorded of {trial['tasks']:.0f}")
    wall_s, workers = float(trial["wall_s"]), int(trial["workers"])
    extra = {f"extra_{kind}": own.costs[kind] - reference[kind] for kind in KINDS}
    others_s, steal_s = (
        float(np.clip(np.nan_to_num(trial[name]), 0, max(extra[part], 0)))
        for name, part in (("others_cpu_s", "extra_wait_s"), ("steal_s", "extra_blocked_s"))
    )
    split = {
        "reference_s": reference["busy_s"],
        **extra,
        "extra_wait_s": extra["extra_wait_s"] - others_s,
        "others_s": others_s,
        "extra_blocked_s": extra["extra_blocked_s"] - steal_s,
        "steal_s": steal_s,
        "imbalance_s": workers * own.busiest_s - own.busy_s,
        "startup_s": workers * own.first_s,
        "gaps_s": workers * (own.last_s - own.first_s - own.inside_s),
        "drain_s": workers * (wall_s - own.last_s),
    }
    total_s = workers * wall_s
    remainder = sum(split.values()) / total_s - 1
    if abs(remainder) > TOLERANCE:
        raise BreakdownError(f"{where}: the parts differ from P x T by {100 * remainder:.2f} %")
    of_reference = {f"reference_{name}": value for name, value in reference.items()}
    return {"total_s": total_s, **split, **own.costs, **of_reference}


def suspects(trial: Any, row: Any) -> dict[str, float]:
    """What each cause may take at most of P x T in a trial, from its breakdown; 1.0 is all. What the work
    itself takes, in the reference too, is in it: an ablation may give that back.

    Storage: waits of reading and writing, and elsewhere as far as a CPU idled for a disk. Transfer: reading
    for others and again, sending, what the master's feeder took of the workers' CPUs, and idle gaps."""
    queued_s = row["wait_s"] * row["files_s"] / row["busy_s"]  # of the waits in files, as much as elsewhere
    files_s = float(np.clip(row["file_wait_s"] - queued_s, 0, max(row["blocked_s"], 0)))
    elsewhere_s = max(row["blocked_s"] - files_s - row["sending_s"], 0)
    disk_s = min(np.nan_to_num(trial["iowait_s"]), elsewhere_s)
    fed_s = min(np.nan_to_num(trial["master_threads_cpu_s"]), row["wait_s"])
    master_s = min(row["workers"] * np.nan_to_num(trial["master_read_s"]), row["startup_s"])
    read_s = row["reading_s"] - row["reference_reading_s"]
    seconds = {
        IMBALANCE: row["imbalance_s"],
        TRANSFER: row["sending_s"] + row["gaps_s"] + master_s + fed_s + max(read_s, 0),
        START_UP: row["startup_s"] - master_s + row["drain_s"],
        SYSTEM_CPU: row["system_s"],
        STORAGE: files_s + disk_s,
        THREADS: 0.0,
        WAITS: row["wait_s"] - fed_s + elsewhere_s - disk_s,
        CONTENTION: row["extra_user_s"] - read_s,
    }
    if threads_at_work(row) * row["workers"] > row["usable_cpus"]:
        crowded = (WAITS, CONTENTION)  # helper threads wait for CPUs, are waited for, and spin
        seconds |= {THREADS: sum(max(seconds[name], 0.0) for name in crowded), **dict.fromkeys(crowded, 0.0)}
    return {name: max(taken_s, 0.0) / row["total_s"] for name, taken_s in seconds.items()}


def threads_at_work(row: Any) -> float:
    """Threads at work in a process, in the reference, which has the CPUs to itself; 1 without helpers."""
    at_work = (row["reference_user_s"] + row["reference_system_s"]) / row["reference_busy_s"]
    return max(at_work, float(row["opencv_threads"])) if at_work > MAX_CPU_OF_ONE_THREAD else 1.0


def breakdowns(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """The `breakdown` of every ok trial of one workload (see `select`) in a row, after the columns of TRIAL
    and before its `suspects`. A trial without recorded tasks or without a reference has none, nor have
    instruments. Raises BreakdownError."""
    rows = []
    for _, block in recorded(trials, "tasks", parts).groupby("saving"):
        sequential = block[block["strategy"] == Sequential.name]
        costs = pd.DataFrame([recorded_totals(parts, trial_id).costs for trial_id in sequential["trial_id"]])
        of_rounds: Any = costs.groupby([sequential[name].to_numpy() for name in ROUND]).mean().T
        references, of_all = of_rounds.to_dict(), costs.mean().to_dict()
        for trial in block.to_dict("records") if len(costs) else ():
            reference = references.get(tuple(trial[name] for name in ROUND), of_all)
            split = breakdown(trial, recorded_totals(parts, trial["trial_id"]), reference)
            row = {name: trial[name] for name in TRIAL} | split
            rows.append(row | suspects(trial, row))
    return pd.DataFrame(rows)
