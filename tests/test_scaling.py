"""Speedup and efficiency by hand-computed numbers."""

from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis.scaling import SAVERS, NoTrialsError, strong, weak
from experiments.records.schema import FAILED, NOT_APPLICABLE
from tests.frames import Row, frame, repeated, trial

SECONDS = st.floats(0.001, 1e5)


def point(points: pd.DataFrame, strategy: str, workers: int, saving: bool = True) -> dict[Hashable, Any]:
    """The one point of this strategy at so many workers."""
    where = (points["strategy"] == strategy) & (points["workers"] == workers) & (points["saving"] == saving)
    [row] = points[where].to_dict("records")
    return row


def weak_trials(*sizes_with_reference: tuple[int, int]) -> list[Row]:
    """Base 4 s at 100x100; p1 takes 5 s at 2 workers and twice the pixels."""
    trials = [trial("sequential", 1, 4.0, width=100, height=100), trial("p1", 2, 5.0, width=200, height=100)]
    return trials + [trial("sequential", 1, 9.0, width=w, height=h) for w, h in sizes_with_reference]


def test_strong_divides_the_means_and_keeps_the_spread() -> None:
    points = strong(frame([*repeated("sequential", 1, 19.0, 21.0), *repeated("p1", 4, 4.0, 6.0)]))

    p1 = point(points, "p1", 4)
    assert p1["wall_s"] == 5.0
    assert (p1["wall_s_min"], p1["wall_s_max"], p1["repetitions"]) == (4.0, 6.0, 2)
    assert (p1["speedup"], p1["ideal_s"]) == (4.0, 5.0)
    assert p1["efficiency"] == 1.0
    assert (p1["speedup_min"], p1["speedup_max"]) == (pytest.approx(20 / 6), 5.0)
    assert (p1["efficiency_min"], p1["efficiency_max"]) == (pytest.approx(20 / 24), 1.25)


def test_all_ok_trials_of_a_cell_count_in_its_mean_whichever_sweep_and_round_they_are_of() -> None:
    baseline = [*repeated("sequential", 1, 10.0, 14.0, round=0), trial("sequential", 1, 12.0, sweep="later")]
    again = [trial("p1", 2, wall_s, repetition=0) for wall_s in (4.0, 8.0)]
    points = strong(frame([*baseline, *again]))

    assert point(points, "sequential", 1)["repetitions"] == 3
    assert (point(points, "p1", 2)["repetitions"], point(points, "p1", 2)["speedup"]) == (2, 2.0)


def test_strong_compares_with_the_baseline_of_the_same_saving_flag() -> None:
    baselines = [trial("sequential", 1, 10.0), trial("sequential", 1, 6.0, saving=False)]
    points = strong(frame([*baselines, trial("p1", 2, 5.0), trial("p1", 2, 4.0, saving=False)]))

    assert point(points, "p1", 2, saving=True)["speedup"] == 2.0
    assert point(points, "p1", 2, saving=False)["speedup"] == 1.5


def test_without_a_baseline_there_is_a_time_but_no_speedup() -> None:
    p1 = point(strong(frame([trial("p1", 2, 5.0)])), "p1", 2)

    assert p1["wall_s"] == 5.0
    assert pd.isna(p1["speedup"])
    assert pd.isna(p1["ideal_s"])


def test_failed_and_inapplicable_cells_keep_their_row_and_no_time() -> None:
    rows = [
        trial("sequential", 1, 10.0),
        trial("p1", 2, 99.0, status=FAILED),
        trial("pq", 1, None, status=NOT_APPLICABLE),
        *repeated("p2", 2, 5.0, 7.0),
        trial("p2", 2, None, status=FAILED, round=2),
    ]
    points = strong(frame(rows))

    assert point(points, "p1", 2)["status"] == FAILED
    assert pd.isna(point(points, "p1", 2)["wall_s"])
    assert point(points, "pq", 1)["status"] == NOT_APPLICABLE
    p2 = point(points, "p2", 2)
    assert (p2["status"], p2["repetitions"], p2["failures"], p2["wall_s"]) == ("ok", 2, 1, 6.0)


def test_savers_tell_points_apart_where_they_are_tuned() -> None:
    rows = [trial("sequential", 1, 12.0), trial("pq", 4, 6.0, savers=1), trial("pq", 4, 4.0, savers=2)]
    points = strong(frame(rows), SAVERS)

    assert points.loc[points["strategy"] == "pq", "speedup"].tolist() == [2.0, 3.0]


def test_weak_compares_with_one_worker_at_its_size() -> None:
    points = weak(frame(weak_trials((200, 100))))

    assert len(points) == 2  # the sequential trial at 200x100 is a reference
    p1 = point(points, "p1", 2)
    assert (p1["ideal_s"], p1["efficiency"]) == (4.0, 0.8)
    assert (p1["sequential_s"], p1["normalised_efficiency"]) == (9.0, 0.9)
    assert point(points, "sequential", 1)["normalised_efficiency"] == 1.0


def test_weak_without_a_reference_has_no_normalised_efficiency() -> None:
    assert pd.isna(point(weak(frame(weak_trials())), "p1", 2)["normalised_efficiency"])


def test_a_larger_sequential_size_is_never_taken_for_one_worker_s() -> None:
    points = weak(frame(weak_trials((200, 100))[1:]))

    assert pd.isna(point(points, "p1", 2)["efficiency"])


def test_weak_finds_the_size_of_a_trial_that_failed_before_it_had_one() -> None:
    failed = trial("p2", 2, None, status=FAILED, width=None, height=None)
    p2 = point(weak(frame([*weak_trials(), failed])), "p2", 2)

    assert (p2["width"], p2["height"], p2["status"]) == (200, 100, FAILED)


@pytest.mark.parametrize("make", [strong, weak])
def test_no_trials_are_an_error_of_one_line(make: Callable[[pd.DataFrame], object]) -> None:
    with pytest.raises(NoTrialsError, match="make strong-scaling"):
        make(frame([trial("p1", 2, 5.0)]).iloc[:0])


@settings(deadline=None)  # a busy machine is no failure
@given(base=SECONDS, walls=st.lists(SECONDS, min_size=1, max_size=4), workers=st.integers(2, 128))
def test_efficiency_times_workers_is_speedup_and_the_mean_lies_in_the_spread(
    base: float, walls: list[float], workers: int
) -> None:
    p1 = point(strong(frame([trial("sequential", 1, base), *repeated("p1", workers, *walls)])), "p1", workers)

    assert p1["efficiency"] * workers == pytest.approx(p1["speedup"])
    assert p1["speedup"] * p1["wall_s"] == pytest.approx(base)
    assert p1["speedup_min"] <= p1["speedup"] * (1 + 1e-9)
    assert p1["speedup"] <= p1["speedup_max"] * (1 + 1e-9)
