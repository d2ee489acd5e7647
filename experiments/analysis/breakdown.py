"""The time breakdown: where the P x T worker-seconds of a trial went, split without remainder.

The tasks kept P workers busy for some of T seconds. The sequential reference of the same round needed
`reference_s` for the same tasks:

    P T = reference + extra (user + system + wait + blocked) + imbalance + start-up + gaps + drain

- extra: the seconds that tasks took beyond the reference. Blocked is a residual, `busy - CPU - wait`, because
  no counter measures it. CPU seconds are those of all threads of a process, so that helper threads make
  blocked negative. `others_s` is taken out of wait, `steal_s` out of blocked, as far as these go.
- imbalance: the busiest worker's seconds less each worker's, summed.
- start-up, gaps, drain: P times the idle seconds of the busiest worker before, between and after its tasks.

Negative parts are kept, so that the parts always sum to P x T. The breakdown ranks suspects (`causes`) and
proves nothing; ablations do.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.causes import suspects
from experiments.analysis.costs import TaskTotals, task_totals
from experiments.analysis.select import INSTRUMENTS, STRONG, CellKey, ok_trials, recorded
from experiments.store.files import DetailReader

TOLERANCE = 0.005  # of P x T: clocks of processes are read one after another
PARTS = (
    *("reference_s", "extra_user_s", "extra_system_s", "extra_wait_s", "others_s", "extra_blocked_s"),
    *("steal_s", "imbalance_s", "startup_s", "gaps_s", "drain_s"),
)
ROUND = ("sweep", "round")
TRIAL = (*STRONG, "ablation", "trial_id", *ROUND, "wall_s", "usable_cpus", "opencv_threads")


class BreakdownError(ValueError):
    """Tasks that do not fit the time of their trial, which the message names."""


def breakdown(trial: Any, totals: TaskTotals, reference: Any) -> dict[str, float]:
    """Return the breakdown of a trial: total_s and PARTS in worker-seconds, and the costs of its tasks.

    `trial` is a row of trials. `reference` holds the mean costs of the sequential reference, which are
    returned as `reference_…`. Raises BreakdownError if tasks are missing, or if the parts do not sum to
    P x T.
    """
    name = f"{trial['strategy']} at {trial['workers']} workers, trial {trial['trial_id']}"
    if totals.tasks != trial["tasks"]:
        raise BreakdownError(f"{name}: {totals.tasks} tasks are recorded of {trial['tasks']:.0f}")
    wall_s, workers = float(trial["wall_s"]), int(trial["workers"])
    user_s, system_s, wait_s, blocked_s = (
        totals.costs[kind] - reference[kind] for kind in ("user_s", "system_s", "wait_s", "blocked_s")
    )
    others_s, steal_s = _within(trial["others_cpu_s"], wait_s), _within(trial["steal_s"], blocked_s)
    split = {
        "reference_s": reference["busy_s"],
        "extra_user_s": user_s,
        "extra_system_s": system_s,
        "extra_wait_s": wait_s - others_s,
        "extra_blocked_s": blocked_s - steal_s,
        "others_s": others_s,
        "steal_s": steal_s,
        "imbalance_s": workers * totals.busiest_s - totals.costs["busy_s"],
        "startup_s": workers * totals.first_s,
        "gaps_s": workers * (totals.last_s - totals.first_s - totals.inside_s),
        "drain_s": workers * (wall_s - totals.last_s),
    }
    total_s = workers * wall_s
    remainder = sum(split.values()) / total_s - 1
    if abs(remainder) > TOLERANCE:
        raise BreakdownError(f"{name}: the parts differ from P x T by {100 * remainder:.2f} %")
    of_reference = {f"reference_{cost}": value for cost, value in reference.items()}
    return {"total_s": total_s, **split, **totals.costs, **of_reference}


def _within(seconds: float, most_s: float) -> float:
    """Return the seconds that a counter of the whole machine shows, as far as the tasks waited; 0 if NaN."""
    return float(np.clip(np.nan_to_num(seconds), 0, max(most_s, 0)))


def breakdowns(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return a row for each ok trial of one workload (see `select`): TRIAL, its breakdown and its suspects.

    A trial without recorded tasks or without a reference has no row, nor has an instrument. The reference is
    that of the trial's round, or else the mean of all. Raises BreakdownError.
    """
    rows = []
    of_strategies = trials[~trials["strategy"].isin(INSTRUMENTS)]
    for _, block in recorded(ok_trials(of_strategies), parts).groupby("saving"):
        sequential = block[block["strategy"] == Sequential.name]
        costs = pd.DataFrame([task_totals(parts, trial_id).costs for trial_id in sequential["trial_id"]])
        of_rounds: Any = costs.groupby([sequential[name].to_numpy() for name in ROUND]).mean().T
        references, of_all = of_rounds.to_dict(), costs.mean().to_dict()
        every: Any = block.to_dict("records") if len(costs) else ()
        for trial in every:
            reference = references.get(tuple(trial[name] for name in ROUND), of_all)
            split = breakdown(trial, task_totals(parts, trial["trial_id"]), reference)
            rows.append({name: trial[name] for name in TRIAL} | split | suspects(trial | split))
    return pd.DataFrame(rows)


def mean_breakdowns(trials: pd.DataFrame, parts: DetailReader) -> Mapping[CellKey, Mapping[str, float]]:
    """Return the means of what `breakdowns` returns, for each cell that it has rows of."""
    split = breakdowns(trials, parts)
    if split.empty:
        return {}
    means: Any = split.groupby([*CellKey._fields]).mean(numeric_only=True)
    return {CellKey(*cell): row for cell, row in means.to_dict("index").items()}
