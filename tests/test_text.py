"""Numbers and names as tables and sentences write them."""

from math import nan

import pytest

from experiments.report.texts import label, percent, percent_interval, pluralise, with_interval


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (0.12, 0, "12 %"),
        (-0.001, 0, "0 %"),
        (0.375, 0, "38 %"),
        (0.375 - 1e-12, 0, "38 %"),
        (0.1234, 1, "12.3 %"),
        (nan, 0, "-"),
    ],
)
def test_shares_are_per_cent_without_a_negative_zero(share: float, digits: int, shown: str) -> None:
    assert percent(share, digits) == shown


def test_intervals_are_written_in_the_unit_of_the_value() -> None:
    assert with_interval(3.314, 3.18, 3.449) == "3.31 (3.18–3.45)"
    assert with_interval(12.3, -10.1, 14.5, "+.1f") == "+12.3 (-10.1 to +14.5)"
    assert with_interval(-0.02, -0.05, 0.01) == "-0.02 (-0.05 to 0.01)"
    assert with_interval(2e-16, -1e-16, 3e-16) == "0.00 (0.00–0.00)"
    assert with_interval(12.3, nan, nan, ".0f") == "12 (no interval)"
    assert with_interval(nan, nan, nan, ".0f") == "-"
    assert percent_interval(0.83, 0.8, 0.86) == "83 % (80–86)"
    assert percent_interval(0.01, -0.03, 0.04, "+") == "+1 % (-3 to +4)"
    assert percent_interval(nan, nan, nan) == "-"


def test_names() -> None:
    assert (label("pq"), label("of another version")) == ("P_Q", "of another version")
    assert (pluralise(1, "trial"), pluralise(2, "trial")) == ("1 trial", "2 trials")
