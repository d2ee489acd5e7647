"""Where every worker-second of a trial went: P x T split without remainder.

P workers for T seconds have P x T worker-seconds. Of those the tasks kept them busy for B, the
sequential reference needed `reference_s` for the same tasks, and the rest is loss:

    P T = reference + extra (user + system + wait + blocked) + imbalance + start-up + gaps + drain

- extra: what the tasks took here less what they took in the reference, each as user CPU, system CPU,
  run-queue wait, and blocked, which is busy - CPU - wait. Where OpenCV has several threads in a
  process the CPU seconds are those of all threads and busy is the clock of the main one: blocked
  is then negative by what the helpers did beside it, here and in the reference alike;
- imbalance: the busiest worker's seconds less each worker's, summed;
- coordination = P (T - busiest): before the busiest worker's first task, between its tasks, after
  its last. It comes from begins and ends, busy from the stages, so that the sum is a real check.

Negative parts (a master that reads for its workers, a cache that holds more) are kept.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.costs import COLUMNS, recorded, stays, total_costs
from experiments.analysis.scaling import STRONG
from experiments.records.store import Parts

TOLERANCE = 0.005  # of P x T
KINDS = ("user_s", "system_s", "wait_s", "blocked_s")  # of what tasks take
EXTRAS = tuple(f"extra_{kind}" for kind in KINDS)
COORDINATION = ("startup_s", "gaps_s", "drain_s")
PARTS = ("reference_s", *EXTRAS, "imbalance_s", *COORDINATION)
TRIAL = (*STRONG, "trial_id", "wall_s", "usable_cpus", "opencv_threads")


class AccountError(ValueError):
    """The tasks of a trial do not fit its time; the message names the trial."""


def account(trial: Any, tasks: pd.DataFrame, reference: "pd.Series[float]") -> dict[str, float]:
    """The account of one trial (a row of trials), its tasks, and what those of the sequential reference of
    the same workload took in the mean (`total_costs`): total_s and PARTS in worker-seconds; of the extra
    user CPU extra_reading_s, reading beyond the reference's (negative where the master has read); the
    costs, and those of the reference as `reference_…`.

    Raises AccountError where the tasks are not all there, or the parts do not sum to P x T."""
    where = f"{trial['strategy']} at {trial['workers']} workers, trial {trial['trial_id']}"
    if len(tasks) != trial["tasks"]:
        raise AccountError(f"{where}: {len(tasks)} tasks are recorded of {trial['tasks']:.0f}")
    each = stays(tasks)
    costs, busy = total_costs(each), each.groupby("process")["busy_s"].sum()
    longest = each[each["process"] == busy.idxmax()]
    wall_s, workers = float(trial["wall_s"]), int(trial["workers"])
    first_s, last_s = longest["begin_s"].min(), longest["end_s"].max()
    split = {
        "reference_s": reference["busy_s"],
        **(costs - reference)[list(KINDS)].add_prefix("extra_"),
        "imbalance_s": workers * busy.max() - busy.sum(),
        "startup_s": workers * first_s,
        "gaps_s": workers * (last_s - first_s - (longest["end_s"] - longest["begin_s"]).sum()),
        "drain_s": workers * (wall_s - last_s),
    }
    total_s = workers * wall_s
    remainder = sum(split.values()) / total_s - 1
    if abs(remainder) > TOLERANCE:
        raise AccountError(f"{where}: the parts differ from P x T by {100 * remainder:.2f} %")
    reading = {"extra_reading_s": costs["reading_s"] - reference["reading_s"]}
    return {"total_s": total_s, **split, **reading, **costs, **reference.add_prefix("reference_")}


def accounts(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """The `account` of every ok trial of one workload (see `select`) in a row, after the columns of TRIAL,
    before outside_cpu_s (CPU of the trial outside its tasks), wait_known and kernel_s. A trial without
    recorded tasks or without a reference has none. Raises AccountError."""
    rows = []
    for block, sequential in with_reference(trials, parts):
        reference = pd.DataFrame([total_costs(stays(_tasks(trial, parts))) for trial in sequential]).mean()
        for trial in block:
            tasks = _tasks(trial, parts)
            split = account(trial, tasks, reference)
            task_cpu_s = split["user_s"] + split["system_s"]
            rows.append(
                {name: trial[name] for name in TRIAL}
                | split
                | {
                    "outside_cpu_s": trial["cpu_user_s"] + trial["cpu_system_s"] - task_cpu_s,
                    "wait_known": bool(tasks["run_queue_wait_s"].notna().all()),
                    "kernel_s": (trial["kernel_before_s"] + trial["kernel_after_s"]) / 2,
                }
            )
    return pd.DataFrame(rows)


def with_reference(trials: pd.DataFrame, parts: Parts) -> Iterator[tuple[list[Any], list[Any]]]:
    """Per saving flag the ok trials with recorded tasks, and those of the sequential reference among them;
    a flag without any of these is left out."""
    for _, block in recorded(trials, "tasks", parts).groupby("saving"):
        rows = block.to_dict("records")
        if sequential := [trial for trial in rows if trial["strategy"] == Sequential.name]:
            yield rows, sequential


def _tasks(trial: Any, parts: Parts) -> pd.DataFrame:
    return parts.of("tasks", trial["trial_id"], COLUMNS)
