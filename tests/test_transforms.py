"""What each transform costs beside P workers, in numbers worked out by hand."""

from typing import Any

import pandas as pd
import pytest

from experiments.analysis.transforms import transform_inflations
from tests.taskframes import Cells, Cost, cell, frames


def spent(blur_s: float, flip_s: float, weight: float = 1.0) -> Cost:
    return Cost(user_s=0.1, transforms_s={"Blur": blur_s, "Flip": flip_s}, transforms_weight=weight)


REFERENCE = cell("sequential", 1, spent(0.04, 0.01))
CELLS: list[Cells] = [
    REFERENCE,
    cell("p1", 2, spent(0.06, 0.01)),
    cell("p1", 16, spent(0.08, 0.04)),
    cell("p2", 2, spent(0.04, 0.02), scales=[1.0]),
]
INFLATIONS = transform_inflations(*frames(*CELLS))


def at(strategy: str, workers: int, transform: str, inflations: pd.DataFrame = INFLATIONS) -> Any:
    chosen = (inflations["strategy"] == strategy) & (inflations["workers"] == workers)
    [row] = inflations[chosen & (inflations["transform"] == transform)].to_dict("records")
    return row


def test_a_call_is_compared_with_the_same_calls_of_the_reference() -> None:
    blur = at("p1", 2, "Blur")
    assert (blur["calls"], blur["call_s"], blur["reference_call_s"]) == pytest.approx((12, 0.06, 0.04))
    assert blur["reference_share"] == pytest.approx(0.4)
    assert blur["inflation"] == pytest.approx(1.5)
    assert 1.5 * 0.98 < blur["low"] < 1.5 < blur["high"] < 1.5 * 1.02  # repetitions are 1 % apart
    assert at("p1", 2, "Flip")["inflation"] == pytest.approx(1)


def test_one_repetition_has_no_interval() -> None:
    assert at("p2", 2, "Flip")["inflation"] == pytest.approx(2)
    assert pd.isna(at("p2", 2, "Flip")["low"])


def test_only_tasks_that_were_timed_on_both_sides_are_compared() -> None:
    trials, parts = frames(REFERENCE, cell("p1", 2, spent(0.06, 0.01)))
    calls = parts.tables["transforms"]
    parallel = calls["trial_id"].isin(trials.loc[trials["strategy"] == "p1", "trial_id"])
    last, first = (calls["augmentation_index"] == augmentation for augmentation in (3, 0))
    dear = calls["seconds"].where(~(last & ~parallel) & ~(first & parallel), 100.0)
    parts.tables["transforms"] = calls.assign(seconds=dear)[~(last & parallel) & ~(first & ~parallel)]
    blur = at("p1", 2, "Blur", transform_inflations(trials, parts))
    assert (blur["calls"], blur["reference_call_s"], blur["call_s"]) == pytest.approx((6, 0.04, 0.06))
    assert blur["reference_share"] == pytest.approx(0.4)  # of the stage in the same tasks


def test_short_tasks_count_as_many_times_as_they_were_not_timed() -> None:
    """Three tasks are timed as 16 each and nine as themselves: 57 tasks, of which 48 spent nothing else."""
    trials, parts = frames(REFERENCE)
    calls, tasks = parts.tables["transforms"], parts.tables["tasks"]
    short, short_task = calls["augmentation_index"] == 0, tasks["augmentation_index"] == 0
    calls.loc[short, "weight"] = 16.0
    calls.loc[short & (calls["transform"] == "Blur"), "seconds"] /= 10
    tasks.loc[short_task, "transform_s"] /= 5
    blur = at("sequential", 1, "Blur", transform_inflations(trials, parts))
    assert blur["calls"] == pytest.approx(57)
    assert blur["call_s"] == pytest.approx((48 * 0.004 + 9 * 0.04) / 57)
    assert blur["reference_share"] == pytest.approx((48 * 0.004 + 9 * 0.04) / (48 * 0.02 + 9 * 0.1))


def test_trials_without_timed_transforms_have_no_row() -> None:
    assert transform_inflations(*frames(cell("sequential", 1), cell("p1", 2))).empty
    only_parallel = frames(cell("sequential", 1), cell("p1", 2, spent(0.06, 0.01)))
    assert transform_inflations(*only_parallel).empty
