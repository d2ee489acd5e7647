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

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from experiments.analysis.costs import Costs, costs, stays
from experiments.analysis.scaling import SEQUENTIAL
from experiments.records.schema import OK

TOLERANCE = 0.005  # of P x T
EXTRAS = ("extra_user_s", "extra_system_s", "extra_wait_s", "extra_blocked_s")
COORDINATION = ("startup_s", "gaps_s", "drain_s")
PARTS = ("reference_s", *EXTRAS, "imbalance_s", *COORDINATION)
KEY = ("saving", "strategy", "workers")
TRIAL = (*KEY, "cell", "repetition", "wall_s", "usable_cpus", "opencv_threads")


class AccountError(ValueError):
    """The tasks of a trial do not fit its time; the message names the cell."""


@dataclass(frozen=True)
class Account:
    """The parts of P x T, in worker-seconds, and the costs that they were made of."""

    total_s: float
    reference_s: float
    extra_user_s: float
    extra_system_s: float
    extra_wait_s: float
    extra_blocked_s: float
    imbalance_s: float
    startup_s: float
    gaps_s: float
    drain_s: float
    costs: Costs
    reference: Costs

    @property
    def extra_reading_s(self) -> float:
        """Of the extra user CPU: reading beyond the reference's. P_2 reads for each task; where the
        master has read, it is negative."""
        return self.costs.reading_s - self.reference.reading_s


def account(trial: Any, tasks: pd.DataFrame, reference_tasks: pd.DataFrame) -> Account:
    """The account of one trial (a row of trials), its tasks, and those of the sequential reference of
    the same workload, of which the mean over the repetitions counts.

    Raises AccountError where the tasks are not all there, or the parts do not sum to P x T."""
    where = f"{trial['strategy']} at {trial['workers']} workers, cell {trial['cell']}"
    where += f", repetition {trial['repetition']}"
    if len(tasks) != trial["tasks"]:
        raise AccountError(f"{where}: {len(tasks)} tasks are recorded of {trial['tasks']}")
    here, reference = costs(tasks), costs(reference_tasks)
    each = stays(tasks).groupby("process")
    busy = each["busy_s"].sum()
    busiest: Any = busy.idxmax()
    own, wall, workers = each.get_group(busiest), float(trial["wall_s"]), int(trial["workers"])
    first, last = own["begin_s"].min(), own["end_s"].max()
    made = Account(
        total_s=workers * wall,
        reference_s=reference.busy_s,
        extra_user_s=here.user_s - reference.user_s,
        extra_system_s=here.system_s - reference.system_s,
        extra_wait_s=here.wait_s - reference.wait_s,
        extra_blocked_s=here.blocked_s - reference.blocked_s,
        imbalance_s=workers * busy[busiest] - busy.sum(),
        startup_s=workers * first,
        gaps_s=workers * (last - first - (own["end_s"] - own["begin_s"]).sum()),
        drain_s=workers * (wall - last),
        costs=here,
        reference=reference,
    )
    remainder = sum(getattr(made, part) for part in PARTS) / made.total_s - 1
    if abs(remainder) > TOLERANCE:
        raise AccountError(f"{where}: the parts differ from P x T by {100 * remainder:.2f} %")
    return made


def accounts(trials: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """The account of every ok trial of one workload (see `newest_comparable`) in a row: the columns of
    TRIAL, total_s, PARTS, extra_reading_s, the costs, those of the reference as `reference_…`,
    outside_cpu_s (CPU of the trial outside its tasks) and kernel_s. A trial without recorded tasks
    or without a reference has none."""

    def row(trial: Any, own: pd.DataFrame, reference: pd.DataFrame) -> dict[str, Any]:
        made = account(trial, own, reference)
        spent = trial["cpu_user_s"] + trial["cpu_system_s"]
        return (
            {name: getattr(made, name) for name in ("total_s", *PARTS, "extra_reading_s")}
            | asdict(made.costs)
            | {f"reference_{name}": value for name, value in asdict(made.reference).items()}
            | {"outside_cpu_s": spent - made.costs.user_s - made.costs.system_s}
            | {"wait_known": bool(own["run_queue_wait_s"].notna().all())}
            | {"kernel_s": (trial["kernel_before_s"] + trial["kernel_after_s"]) / 2}
        )

    return per_trial(trials, tasks, row)


def per_trial(
    trials: pd.DataFrame,
    tasks: pd.DataFrame,
    row: Callable[[Any, pd.DataFrame, pd.DataFrame], dict[str, Any]],
) -> pd.DataFrame:
    """`row(trial, its tasks, the sequential reference's)` for each ok trial that has both."""
    by_trial = dict(list(tasks.groupby(["cell", "repetition"])))
    rows: list[dict[str, Any]] = []
    for _, block in trials[trials["status"] == OK].groupby("saving"):
        records: list[dict[Any, Any]] = block.to_dict("records")
        own = [by_trial.get((trial["cell"], trial["repetition"])) for trial in records]
        pairs = [(trial, found) for trial, found in zip(records, own, strict=True) if found is not None]
        known = [found for trial, found in pairs if trial["strategy"] == SEQUENTIAL]
        if known:
            reference = pd.concat(known)
            rows += [
                {name: trial[name] for name in TRIAL} | row(trial, found, reference) for trial, found in pairs
            ]
    return pd.DataFrame(rows)
