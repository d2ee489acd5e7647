"""The fixed piece of work, by a clock that is ticked by hand: no test asserts a time."""

import pytest

from experiments.machine import disturbance as kernel


def test_the_best_of_the_repetitions_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 7.0, 10.0, 15.0, 20.0, 29.0, 30.0, 36.0, 40.0, 48.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))

    assert kernel.kernel_s() == 5.0


def test_the_kernel_takes_time() -> None:
    assert kernel.kernel_s() > 0


@pytest.mark.parametrize(
    ("after_s", "found"),
    [
        (1.14, ["the machine ran 14 % slower after the trial than before"]),
        (0.85, ["the machine ran 15 % faster after the trial than before"]),
        (1.09, []),
        (0.91, []),
    ],
)
def test_a_drift_above_the_limit_is_found(after_s: float, found: list[str]) -> None:
    assert kernel.drift_findings(1.0, after_s) == found


@pytest.mark.parametrize(
    ("walls_s", "found"),
    [
        ([10.0, 12.3, 11.0], ["the repetitions differ by 23 %"]),
        ([10.0, 10.9], []),
        ([10.0], []),
        ([], []),
    ],
)
def test_repetitions_that_differ_are_found(walls_s: list[float], found: list[str]) -> None:
    assert kernel.spread_findings(walls_s) == found
