"""Speedup, efficiency and share of the ceiling by hand-computed numbers."""

from collections.abc import Hashable
from math import exp
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.analysis.scaling import strong, weak
from experiments.store.columns import FAILED, NOT_APPLICABLE
from tests.helpers.trial_rows import Row, frame, repeated, trial

SECONDS = st.floats(0.001, 1e5)


def point(points: pd.DataFrame, strategy: str, workers: int, saving: bool = True) -> dict[Hashable, Any]:
    """Return the only point of this strategy at this worker count."""
    where = (points["strategy"] == strategy) & (points["workers"] == workers) & (points["saving"] == saving)
    [row] = points[where].to_dict("records")
    return row


def weak_trials(*sizes_with_reference: tuple[int, int]) -> list[Row]:
    """Divide by the base of 4 s at 100x100: p1 takes 5 s with 2 workers and twice the pixels."""
    trials = [trial("sequential", 1, 4.0, width=100, height=100), trial("p1", 2, 5.0, width=200, height=100)]
    return trials + [trial("sequential", 1, 9.0, width=w, height=h) for w, h in sizes_with_reference]


def test_strong_divides_within_rounds_so_that_drift_cancels() -> None:
    points = strong(frame([*repeated("sequential", 1, 10.0, 40.0), *repeated("p1", 4, 2.5, 10.0)]))
    p1 = point(points, "p1", 4)
    assert p1["wall_s"] == pytest.approx(5.0), "the geometric mean"
    assert p1["rounds"] == 2
    assert (p1["speedup"], p1["ideal_s"], p1["efficiency"]) == pytest.approx((4.0, 5.0, 1.0))
    assert (p1["speedup_low"], p1["speedup_high"]) == pytest.approx((4.0, 4.0))


def test_interval_of_a_speedup_matches_a_calculation_by_hand() -> None:
    """Expect ln S = ln 4 ± 0.1 in two rounds: standard error 0.1, t of one degree of freedom 12.706."""
    rows = [*repeated("sequential", 1, 8.0, 8.0), *repeated("p1", 4, 2 * exp(0.1), 2 / exp(0.1))]
    p1 = point(strong(frame(rows)), "p1", 4)
    for name, ideal in (("speedup", 4), ("efficiency", 1)):
        ends = [p1[f"{name}{end}"] for end in ("_low", "", "_high")]
        assert ends == pytest.approx([ideal / exp(1.2706), ideal, ideal * exp(1.2706)], rel=1e-4)


def test_all_ok_trials_of_a_cell_count_whichever_sweep_and_round_they_are_of() -> None:
    first = [*repeated("sequential", 1, 8.0, 18.0, round=0), *repeated("p1", 2, 4.0, 9.0, round=0)]
    later = [trial("sequential", 1, 24.0, sweep="later"), trial("p1", 2, 12.0, sweep="later")]
    p1 = point(strong(frame([*first, *later])), "p1", 2)
    assert p1["rounds"] == 2
    assert p1["speedup"] == pytest.approx(2.0)


def test_strong_compares_with_the_baseline_of_the_same_saving_flag() -> None:
    baselines = [trial("sequential", 1, 10.0), trial("sequential", 1, 6.0, saving=False)]
    points = strong(frame([*baselines, trial("p1", 2, 5.0), trial("p1", 2, 4.0, saving=False)]))
    assert point(points, "p1", 2, saving=True)["speedup"] == pytest.approx(2.0)
    assert point(points, "p1", 2, saving=False)["speedup"] == pytest.approx(1.5)


def test_share_of_the_ceiling_is_of_the_copies_at_the_same_place() -> None:
    rows = [trial("sequential", 1, 10.0), trial("copies", 2, 5.5), trial("copies", 4, 4.0)]
    points = strong(frame([*rows, trial("p1", 2, 6.875), trial("p1", 8, 4.0)]))
    assert point(points, "p1", 2)["ceiling_share"] == pytest.approx(0.8)
    assert pd.isna([point(points, *cell)["ceiling_share"] for cell in (("p1", 8), ("copies", 2))]).all()
    assert point(points, "copies", 4)["efficiency"] == pytest.approx(10 / 16)


def test_point_without_a_baseline_has_a_time_but_no_speedup() -> None:
    p1 = point(strong(frame([trial("p1", 2, 5.0)])), "p1", 2)
    assert p1["wall_s"] == pytest.approx(5.0)
    assert pd.isna([p1["speedup"], p1["ideal_s"], p1["ceiling_share"]]).all()


def test_failed_and_inapplicable_cells_keep_their_row_and_no_time() -> None:
    rows = [
        trial("sequential", 1, 10.0),
        trial("p1", 2, 99.0, status=FAILED),
        trial("pq", 1, None, status=NOT_APPLICABLE),
        *repeated("p2", 2, 4.0, 9.0, round=0),
        trial("p2", 2, None, status=FAILED, round=2),
    ]
    points = strong(frame(rows))
    assert point(points, "p1", 2)["status"] == FAILED
    assert pd.isna(point(points, "p1", 2)["wall_s"])
    assert point(points, "pq", 1)["status"] == NOT_APPLICABLE
    p2 = point(points, "p2", 2)
    assert (p2["status"], p2["rounds"], p2["failures"]) == ("ok", 1, 1)
    assert p2["wall_s"] == pytest.approx(6.0)


def test_weak_compares_with_one_worker_at_its_size() -> None:
    points = weak(frame([*weak_trials((200, 100)), trial("copies", 2, 4.5, width=200, height=100)]))
    assert len(points) == 3  # the sequential trial at 200x100 is a reference
    p1 = point(points, "p1", 2)
    assert (p1["ideal_s"], p1["efficiency"]) == pytest.approx((4.0, 0.8))
    assert (p1["sequential_s"], p1["normalised_efficiency"]) == pytest.approx((9.0, 0.9))
    assert p1["ceiling_share"] == pytest.approx(0.9)
    assert point(points, "sequential", 1)["normalised_efficiency"] == pytest.approx(1.0)


def test_weak_has_no_efficiency_without_its_reference() -> None:
    assert pd.isna(point(weak(frame(weak_trials())), "p1", 2)["normalised_efficiency"])
    without_base = weak(frame(weak_trials((200, 100))[1:]))
    assert pd.isna(point(without_base, "p1", 2)["efficiency"]), "a larger size is no baseline"


def test_weak_keeps_the_row_of_a_trial_that_failed_before_it_had_a_size() -> None:
    failed = trial("p2", 2, None, status=FAILED, width=None, height=None)
    points = weak(frame([*weak_trials(), failed]))
    assert points.loc[points["width"].isna(), "status"].tolist() == [FAILED]


@given(walls=st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=4), workers=st.integers(2, 128))
def test_efficiency_times_workers_is_speedup_and_lies_in_its_interval(
    walls: list[tuple[float, float]], workers: int
) -> None:
    base, own = zip(*walls, strict=True)
    points = strong(frame([*repeated("sequential", 1, *base), *repeated("p1", workers, *own)]))
    p1 = point(points, "p1", workers)
    assert p1["efficiency"] * workers == pytest.approx(p1["speedup"])
    assert p1["speedup"] * p1["wall_s"] == pytest.approx(point(points, "sequential", 1)["wall_s"])
    if len(walls) > 1:
        assert p1["speedup_low"] <= p1["speedup"] * (1 + 1e-9)
        assert p1["speedup"] <= p1["speedup_high"] * (1 + 1e-9)
