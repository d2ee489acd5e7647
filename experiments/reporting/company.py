"""What tasks cost alone and in company, of trials whose workers take turns (strategy `turns`).

How much company a task had is told by the tasks themselves: c is the share of the other workers that
were at work during it, from 0 to 1. Its cost is taken to be w (a + b c), where w is the weight of its
work; least squares give a and b, and 1 + b / a is the inflation of a task in full company. A turn alone
and the turn of all that follows are a fraction of a second apart: what slows the machine from one
minute to the next falls on both alike.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.reporting.costs import STAGES, stays

ALONE = 0.25  # of the others at work, at most
KINDS = {"user": "user_s", "system": "system_s", "wall": "busy_s"}  # of cost: column of `stays`
WEIGHTS = ("weight", "weight_c", "weight_cc")
READ, *WORKED = (f"{stage}_s" for stage in STAGES)
TASK = ["image_index", "augmentation_index"]

Array = npt.NDArray[np.float64]


def rounds(tasks: pd.DataFrame, workers: int, reference_tasks: pd.DataFrame | None = None) -> pd.DataFrame:
    """What least squares need of one trial, one row per round (a turn alone and the next of all): sums of
    WEIGHTS, w, w c and w c², and for each of KINDS of the cost, reading left out, and of `{kind}_c`,
    cost x c.

    The weight is the reference's seconds for the same task; 1 where all tasks are the same work and
    there is no reference. The first task of each process, which warms it up, is left out."""
    each = stays(tasks).reset_index(drop=True)
    company = others_at_work(each) / (workers - 1)
    worked = 1 - each[READ] / each["busy_s"].where(each["busy_s"] > 0, np.inf)
    weight = _weights(tasks, reference_tasks)
    terms: dict[str, Any] = {"weight": weight, "weight_c": weight * company, "weight_cc": weight * company**2}
    for kind, column in KINDS.items():
        terms |= {kind: each[column] * worked, f"{kind}_c": each[column] * worked * company}
    ordered = pd.DataFrame(terms | {"company": company, "begin_s": each["begin_s"]}).sort_values("begin_s")
    ordered = ordered[each["process"].loc[ordered.index].duplicated()]
    alone = ordered["company"] <= ALONE
    number = (alone & ~alone.shift(fill_value=False)).cumsum()
    return ordered.groupby(number.to_numpy())[list(terms)].sum().reset_index(drop=True)


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
    others: Array = np.divide(spent_s, end - begin, out=np.ones_like(spent_s), where=end > begin) - 1
    return others


def _weights(tasks: pd.DataFrame, reference_tasks: pd.DataFrame | None) -> Array:
    if reference_tasks is None:
        return np.ones(len(tasks))
    seconds = (
        reference_tasks.assign(weight=reference_tasks[WORKED].sum(axis=1)).groupby(TASK)["weight"].mean()
    )
    found: Array = tasks[TASK].merge(seconds.reset_index(), how="left", on=TASK)["weight"].to_numpy(float)
    return found
