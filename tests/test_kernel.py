"""The fixed pieces of work, by a clock that is ticked by hand: no test asserts a time."""

import errno
import mmap
from itertools import count

import pytest

from experiments.host import calibration as kernel


def test_the_best_of_the_repetitions_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 7.0, 10.0, 15.0, 20.0, 29.0, 30.0, 36.0, 40.0, 48.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))

    assert kernel.kernel_s() == 5.0


def test_the_kernel_takes_time() -> None:
    assert kernel.kernel_s() > 0


def test_seconds_of_a_map_are_divided_by_the_faults_that_its_pages_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    small_pages = (24 << 20) / mmap.PAGESIZE
    assert kernel.fault_s(huge=False) == pytest.approx(1 / small_pages, rel=0.01)
    assert kernel.fault_s(huge=True) in (pytest.approx(1 / 12, rel=0.2), None)  # not every kernel gives them


class Refused(mmap.mmap):
    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        raise OSError(errno.EINVAL, "no huge pages in this kernel")


class Unadvised(mmap.mmap):
    def madvise(self, option: int, start: int = 0, length: int = 0) -> None:
        super().madvise(mmap.MADV_NOHUGEPAGE)


@pytest.mark.parametrize("kind", [Refused, Unadvised])
def test_where_no_huge_pages_are_given_their_faults_have_no_time(
    kind: type[mmap.mmap], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmap, "mmap", kind)
    assert kernel.fault_s(huge=True) is None


def test_drift_is_relative_to_before() -> None:
    assert kernel.drift(0.02, 0.025) == pytest.approx(0.25)
    assert kernel.drift(0.02, 0.015) == pytest.approx(-0.25)


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
    assert kernel.findings(1.0, after_s) == found


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
