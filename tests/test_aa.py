"""A/A: identical code, compared with itself over and over."""

import pytest

from experiments.analysis.compare import against_itself
from experiments.analysis.scaling import NoTrialsError
from experiments.records.schema import FAILED
from tests.frames import frame, repeated, trial


def test_each_three_trials_are_compared_with_the_next_three_in_the_order_of_their_time() -> None:
    steady, jump = [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]
    rows = repeated("p2", 2, *steady, *steady, *jump, 9.0)
    compared = against_itself(frame([*rows[::-1], trial("p2", 2, None, status=FAILED)]))
    assert list(compared["verdict"]) == ["no difference (-8 to +8 %)", "B is slower by 100 % (85 to 117 %)"]


def test_too_few_trials_are_an_error_of_one_line() -> None:
    with pytest.raises(NoTrialsError, match=r"fewer than 6 trials: run `make against-itself`"):
        against_itself(frame(repeated("p2", 2, *[1.0] * 5)))
