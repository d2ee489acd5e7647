"""Which transforms scale and which do not: what a call of each costs beside P workers, over what the
same task's call costs the sequential reference.

Several workers on a CPU share it: beyond the CPUs a call takes P / CPUs times as long without anything
being wrong. What lies above that, or above 1 before, is memory, cache, clock or SMT.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.costs import recorded
from experiments.analysis.scaling import STRONG
from experiments.analysis.statistics import ratio_of_means
from experiments.records.store import Parts

TASK = ["image_index", "augmentation_index"]
COLUMNS = [
    *(*STRONG, "transform", "calls", "call_s", "reference_call_s", "reference_share"),
    *("inflation", "low", "high"),
]


def transform_inflations(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """Per point and transform: calls in a trial, seconds per call here and of the same tasks in the
    sequential reference, its share of the reference's transform stage, and the inflation with its
    95 % interval from resampled repetitions. Empty where none were recorded.

    Only tasks that were timed in all trials of a point and of the reference are compared, each with the
    weight of the tasks that it stands for."""
    rows: list[dict[str, Any]] = []
    timed = recorded(trials, "transforms", parts)
    references = timed[timed["strategy"] == Sequential.name].groupby("saving")["trial_id"].agg(list)
    points: Any = timed[timed["saving"].isin(references.index)].groupby(list(STRONG))["trial_id"]
    for point, trial_ids in points:
        compared = _compared(list(trial_ids), references[point[0]], parts)
        rows += [dict(zip(STRONG, point, strict=True)) | row for row in compared]
    return pd.DataFrame(rows, columns=COLUMNS)


def _compared(trial_ids: list[str], reference: list[str], parts: Parts) -> Iterable[dict[str, Any]]:
    """A row per transform of what `trial_ids` took for the tasks that they have in common with the
    reference."""
    weights = _weights([*reference, *trial_ids], parts)
    point = pd.concat([_sums(each, weights, parts) for each in trial_ids], keys=trial_ids)
    base = pd.concat([_sums(each, weights, parts) for each in reference], keys=reference)
    stage_s = np.mean([_stage_s(each, weights, parts) for each in reference])
    for transform in point.index.unique(1).intersection(base.index.unique(1)):
        sums, reference_sums = (side.xs(transform, level=1) for side in (point, base))
        call_s, reference_call_s = (side["seconds"] / side["calls"] for side in (sums, reference_sums))
        value, low, high = ratio_of_means(call_s.to_numpy(float), reference_call_s.to_numpy(float))
        yield {
            "transform": transform,
            "calls": sums["calls"].mean(),
            "call_s": call_s.mean(),
            "reference_call_s": reference_call_s.mean(),
            "reference_share": reference_sums["seconds"].mean() / stage_s,
            **{"inflation": value, "low": low, "high": high},
        }


def _weights(trial_ids: list[str], parts: Parts) -> "pd.Series[float]":
    """By task, of those timed in each of the trials, how many tasks it stands for in the first of them."""
    weights = (_by_task("transforms", each, ["weight"], parts)["weight"] for each in trial_ids)
    first = next(weights)
    shared = first[~first.index.duplicated()].astype(float)
    for weight in weights:
        shared = shared[shared.index.isin(weight.index)]
    return shared


def _sums(trial_id: str, weights: "pd.Series[float]", parts: Parts) -> pd.DataFrame:
    """By transform, weighted: calls of a trial and their seconds."""
    timed = _by_task("transforms", trial_id, ["transform", "seconds"], parts)
    calls = weights.reindex(timed.index)
    sums = timed.assign(calls=calls, seconds=calls * timed["seconds"]).groupby("transform").sum()
    return sums[sums["calls"] > 0]


def _stage_s(trial_id: str, weights: "pd.Series[float]", parts: Parts) -> float:
    """Seconds, weighted, in which a trial built and applied the transforms of these tasks."""
    stage_s = _by_task("tasks", trial_id, ["transform_s"], parts)["transform_s"]
    return float((weights.reindex(stage_s.index) * stage_s).sum())


def _by_task(table: str, trial_id: str, columns: list[str], parts: Parts) -> pd.DataFrame:
    """The columns of a part of a trial, under one number for image and augmentation."""
    rows = parts.of(table, trial_id, [*TASK, *columns])
    return rows[columns].set_index(2**32 * rows["image_index"] + rows["augmentation_index"])
