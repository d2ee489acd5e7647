"""Causes that spoil a measurement are found in its rows, and nothing else is."""

import pytest

from experiments.analysis import data_quality
from tests.helpers.trial_rows import frame, trial


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
