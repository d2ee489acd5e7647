"""What tasks cost alone and in company, of trials whose workers take turns (strategy `turns`).

How much company a task had follows from the tasks themselves: c is the share of the other workers that
were at work during it, from 0 to 1. Its cost is taken to be w (a + b c), where w is the weight of its
work; least squares give a and b, and 1 + b / a is the inflation of a task in full company. A turn alone
and the turn of all that follows are a fraction of a second apart: what slows the machine from one
minute to the next falls on both alike.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis import costs
from experiments.analysis.costs import STAGE_COLUMNS, stays
from experiments.analysis.statistics import Array

ALONE = 0.25  # of the others at work, at most
KINDS = {"user": "user_s", "system": "system_s", "wall": "busy_s"}  # of cost: column of `stays`
WEIGHTS = ("weight", "weight_c", "weight_cc")
SUMS = (*WEIGHTS, *KINDS, *(f"{kind}_c" for kind in KINDS))
WORKLOAD = "workload"  # the experiment's own tasks, in turns
PROBE_COLUMNS = {  # of a run of a probe: of a stay
    "worker": "process",
    "start_s": "begin_s",
    "cpu_user_s": "user_s",
    "cpu_system_s": "system_s",
}
READ, *WORKED = STAGE_COLUMNS
TASK = ["image_index", "augmentation_index"]
COLUMNS = [*TASK, *costs.COLUMNS]  # of tasks that `rounds` reads


def rounds(
    tasks: pd.DataFrame, probes: pd.DataFrame, workers: int, weights: "pd.Series[float] | None" = None
) -> dict[str, pd.DataFrame]:
    """What least squares need of one trial, for WORKLOAD and for each probe that ran in it: a row per round
    (a turn alone, that of all, and then the probes'), the same rounds for each. Sums of WEIGHTS, w, w c and
    w c², and for each of KINDS of the cost, reading left out, and of `{kind}_c`, cost x c.

    The weight of a task is in `weights` (see `weight_of_tasks`); 1 where all tasks are the same work and
    there are none. The first round, which warms the processes up, is left out."""
    stay = stays(tasks).reset_index(drop=True)
    worked = 1 - stay[READ] / stay["busy_s"].where(stay["busy_s"] > 0, np.inf)
    stay[list(KINDS.values())] = stay[list(KINDS.values())].mul(worked, axis=0)
    weight = np.ones(len(tasks)) if weights is None else _weights(tasks, weights)
    terms = {WORKLOAD: _terms(stay, workers, weight)}
    for name, runs in probes.groupby("probe"):
        each = runs.rename(columns=PROBE_COLUMNS).reset_index(drop=True)
        each["busy_s"] = each["end_s"] - each["begin_s"]
        terms[str(name)] = _terms(each, workers, np.ones(len(each)))
    workload = terms[WORKLOAD]
    begins = workload["begin_s"][workload["alone"] & ~workload["alone"].shift(fill_value=False)].to_numpy()
    later = pd.RangeIndex(2, len(begins) + 1)
    return {
        name: block.groupby(np.searchsorted(begins, block["begin_s"], side="right"))[list(SUMS)]
        .sum()
        .reindex(later, fill_value=0.0)
        for name, block in terms.items()
    }


def _terms(each: pd.DataFrame, workers: int, weight: Array) -> pd.DataFrame:
    """SUMS of each single stay, in the order they began, when that was, and which had the machine alone."""
    company = others_at_work(each) / (workers - 1)
    terms: dict[str, Any] = {"weight": weight, "weight_c": weight * company, "weight_cc": weight * company**2}
    for kind, column in KINDS.items():
        terms |= {kind: each[column], f"{kind}_c": each[column] * company}
    moments = {"alone": company <= ALONE, "begin_s": each["begin_s"]}
    return pd.DataFrame(terms | moments).sort_values("begin_s")


def solve(sums: Any, kind: str) -> tuple[Array, Array]:
    """a and b of one kind of cost from sums of `rounds`, in seconds per weight; NaN where the tasks had
    all the same company."""
    w, wc, wcc, u, uc = (np.asarray(sums[name], float) for name in (*WEIGHTS, kind, f"{kind}_c"))
    with np.errstate(divide="ignore", invalid="ignore"):
        determinant = w * wcc - wc**2
        return (u * wcc - uc * wc) / determinant, (uc * w - u * wc) / determinant


def others_at_work(each: pd.DataFrame) -> Array:
    """How many other processes are in a task, in the mean over each task's time."""
    begin, end = each["begin_s"].to_numpy(float), each["end_s"].to_numpy(float)
    at = np.concatenate([begin, end])
    order = np.argsort(at, kind="stable")
    times, steps = at[order], np.where(order < len(begin), 1.0, -1.0)
    at_work_s = np.concatenate([[0.0], np.cumsum(np.cumsum(steps)[:-1] * np.diff(times))])
    spent_s = np.interp(end, times, at_work_s) - np.interp(begin, times, at_work_s)
    others = np.divide(spent_s, end - begin, out=np.ones_like(spent_s), where=end > begin) - 1
    return np.asarray(others, float)


def weight_of_tasks(reference: Iterable[pd.DataFrame]) -> "pd.Series[float] | None":
    """Seconds by TASK, reading left out, in the mean of the trials of the reference, each given as its
    tasks; None where there are no such trials."""
    seconds = [tasks.set_index(TASK)[WORKED].sum(axis=1) for tasks in reference]
    return sum(seconds[1:], start=seconds[0]) / len(seconds) if seconds else None


def _weights(tasks: pd.DataFrame, weights: "pd.Series[float]") -> Array:
    return np.asarray(weights.reindex(pd.MultiIndex.from_frame(tasks[TASK])), float)
