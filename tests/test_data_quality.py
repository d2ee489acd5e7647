"""Causes that spoil a measurement are found in its rows, and nothing else is."""

import pytest

from experiments.analysis import data_quality
from tests.helpers.trial_rows import frame, trial

SAME, OTHER = "0" * 64, "1" * 64


def test_outputs_that_differ_from_sequential_tell_of_randomness_of_their_own() -> None:
    rows = [
        trial("sequential", 1, 1.0, outputs_digest=SAME, outputs=8, distinct_outputs=8),
        trial("p2", 2, 1.0, outputs_digest=OTHER, outputs=8, distinct_outputs=5),
        trial("dynamic", 2, 1.0, outputs_digest=SAME, outputs=8, distinct_outputs=8),
    ]
    [row] = data_quality.other_outputs(frame(rows)).to_dict("records")
    assert (row["strategy"], row["distinct_outputs"], row["distinct_outputs_sequential"]) == ("p2", 5, 8)


def test_other_work_makes_other_outputs() -> None:
    rows = [
        trial("sequential", 1, 1.0, outputs_digest=SAME, seed=1),
        trial("p2", 2, 1.0, outputs_digest=OTHER, seed=2),
        trial("p2", 2, 1.0, outputs_digest=None, seed=1, saving=False),
    ]
    assert data_quality.other_outputs(frame(rows)).empty


def test_cpu_time_of_others_is_a_share_of_the_usable_cpus() -> None:
    rows = [trial("p2", 2, 10.0, others_cpu_s=taken, steal_s=1.0, usable_cpus=4) for taken in (7.0, 9.0, 0.0)]
    assert data_quality.taken_by_others(frame(rows)) == pytest.approx(
        19 / 120
    )  # 7 + 9 and three of 1 s, of 3 x 10 s x 4
    assert data_quality.taken_by_others(frame([trial("p2", 2, 10.0)])) == 0.0


def test_warnings_of_most_trials_are_frequent() -> None:
    texts = ("hot\nbusy", "busy", None)
    assert data_quality.frequent_warnings(frame([trial("p2", 2, 1.0, warnings=text) for text in texts])) == [
        "busy"
    ]
