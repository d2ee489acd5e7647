"""Laws are recovered from the points that they make."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis.published import QUANTITIES, fit, fit_laws
from experiments.analysis.statistics import Array

COUNTS: Array = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
pytestmark = pytest.mark.once


def usl(sigma: float, kappa: float) -> Array:
    return COUNTS / (1 + sigma * (COUNTS - 1) + kappa * COUNTS * (COUNTS - 1))


def test_usl_is_recovered_with_its_peak() -> None:
    # sigma = 0.19, kappa = 0.01: the peak is at sqrt(0.81 / 0.01) = 9 workers, 9 / 3.24 there
    laws = fit(COUNTS, usl(0.19, 0.01))
    assert [laws[name] for name in QUANTITIES[2:]] == pytest.approx([0.19, 0.01, 9, 9 / 3.24, 0], abs=1e-6)
    assert laws["Amdahl_off_by"] > 0.1


def test_usl_without_coherency_is_amdahl_with_a_peak_far_away() -> None:
    laws = fit(COUNTS, usl(0.1, 0))
    assert (laws["Amdahl_s"], laws["Amdahl_off_by"]) == pytest.approx((0.1, 0))
    assert laws["USL_kappa"] == pytest.approx(0, abs=1e-9)
    assert laws["USL_peak_workers"] > 1e4
    assert laws["USL_peak_speedup"] == pytest.approx(10, rel=1e-3)


def test_speedup_that_falls_from_the_start_peaks_at_one_worker() -> None:
    laws = fit(COUNTS, 1 / COUNTS)
    assert laws["USL_peak_workers"] == laws["USL_peak_speedup"] == 1


@settings(max_examples=30)
@given(st.floats(0, 1), st.floats(0, 0.1))
def test_law_finds_its_parameters_again(sigma: float, kappa: float) -> None:
    laws = fit(COUNTS, usl(sigma, kappa))
    assert (laws["USL_sigma"], laws["USL_kappa"]) == pytest.approx((sigma, kappa), abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_parameters_are_never_negative(speedup: list[float]) -> None:
    laws = fit(COUNTS, np.array(speedup))
    assert min(laws.values()) >= 0


@pytest.mark.parametrize(("saving", "serial", "peak"), [(True, 0.104, 22), (False, 0.108, 42)])
def test_published_seconds_imply_a_tenth_serial_and_a_peak(saving: bool, serial: float, peak: int) -> None:
    every = fit_laws().set_index(["strategy", "saving"])
    laws: Any = every.loc[("p1", saving)]
    assert laws["Amdahl_s"] == pytest.approx(serial, abs=0.001)
    assert laws["USL_peak_workers"] == pytest.approx(peak, abs=1)
