"""Laws are recovered from the points that they make, and their intervals hold."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import published
from experiments.analysis.laws import AMDAHL, MISFIT, USL, Fit, Law, fit, fit_laws
from experiments.analysis.statistics import Array, Interval
from experiments.store.columns import FAILED
from tests.helpers.trial_rows import Row, frame, repeated, trial

COUNTS: Array = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
pytestmark = pytest.mark.once
FRACTIONS = st.floats(0, 1)


def amdahl(s: float) -> Array:
    return 1 / (s + (1 - s) / COUNTS)


def usl(sigma: float, kappa: float) -> Array:
    return COUNTS / (1 + sigma * (COUNTS - 1) + kappa * COUNTS * (COUNTS - 1))


def fitted(law: Law, speedup: npt.ArrayLike, spread: float = math.nan, dof: int = 9) -> Fit:
    """To speedups at COUNTS over the same baseline; `spread` is the relative error of every time."""
    return fit(law, COUNTS, speedup, spread**2 * (np.eye(5) + 1), dof)


def by_quantity(laws: pd.DataFrame) -> dict[tuple[str, str], Interval]:
    """Return the interval of each law and quantity."""
    rows = laws[["law", "quantity", "value", "low", "high"]].itertuples(index=False)
    return {(law, quantity): Interval(*ends) for law, quantity, *ends in rows}


def study(strategy: str, saving: bool) -> dict[tuple[str, str], Interval]:
    """Return the laws of one strategy of the published strong scaling."""
    every = fit_laws(published.trials("strong_scaling"))
    return by_quantity(every[(every["strategy"] == strategy) & (every["saving"] == saving)])


def test_amdahl_is_recovered_from_its_own_speedups() -> None:
    assert fitted(AMDAHL, amdahl(0.1)).results()["s"] == pytest.approx((0.1, 0.1, 0.1))


def test_usl_is_recovered_with_its_peak() -> None:
    # sigma = 0.19, kappa = 0.01: the peak is at sqrt(0.81 / 0.01) = 9 workers, 9 / 3.24 there
    law = fitted(USL, usl(0.19, 0.01))
    values = {name: interval.value for name, interval in law.results().items()}
    expected = {"sigma": 0.19, "kappa": 0.01, "peak workers": 9.0, "peak speedup": 9 / 3.24, MISFIT: 0.0}
    assert values == pytest.approx(expected, abs=1e-6)


def test_usl_without_coherency_is_amdahl_with_a_peak_far_away() -> None:
    results = fitted(USL, amdahl(0.1)).results()

    assert results["kappa"] == pytest.approx((0, 0, 0), abs=1e-9)
    assert results["peak workers"].value > 1e4
    assert results["peak speedup"].value == pytest.approx(10, rel=1e-3)


def test_speedup_that_falls_from_the_start_peaks_at_one_worker() -> None:
    results = fitted(USL, 1 / COUNTS).results()

    assert results["peak workers"].value == results["peak speedup"].value == 1


@settings(max_examples=30)
@given(FRACTIONS, st.floats(0, 0.1))
def test_law_finds_its_parameters_again(sigma: float, kappa: float) -> None:
    for law, speedup in ((AMDAHL, amdahl(sigma)), (USL, usl(sigma, kappa))):
        expected = [sigma, kappa] if law is USL else [sigma]
        assert fitted(law, speedup).parameters[0] == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_parameters_stay_in_range_and_intervals_in_order(speedup: list[float]) -> None:
    for law in (AMDAHL, USL):
        done = fitted(law, speedup)
        assert ((done.parameters >= 0) & (done.parameters <= law.max_parameter)).all()
        assert all(each.low <= each.high for name, each in done.results().items() if name != MISFIT)


@pytest.mark.parametrize("known", [False, True], ids=["residuals", "errors"])
def test_intervals_cover_the_truth_as_often_as_they_say(known: bool) -> None:
    sigma, kappa, spread, random = 0.05, 0.002, 0.03, np.random.default_rng(1)
    truth, covered = usl(sigma, kappa), []
    for _ in range(60):
        baseline = spread * random.normal() if known else 0.0
        speedup = truth * np.exp(baseline + spread * random.normal(size=5))
        done = fitted(USL, speedup, spread if known else math.nan)
        results = done.results()
        truths = {"sigma": sigma, "kappa": kappa, "peak workers": math.sqrt(0.95 / 0.002)}
        covered.append([results[name].low <= value <= results[name].high for name, value in truths.items()])

    assert (np.mean(covered, axis=0) >= 0.87).all()  # of 60 at 95 %, fewer than one time in a hundred


def test_more_noise_makes_wider_intervals() -> None:
    low, high = (fitted(AMDAHL, amdahl(0.1), spread).results()["s"] for spread in (0.01, 0.05))

    assert high.low < low.low < 0.1 < low.high < high.high


def test_published_seconds_imply_an_eighth_serial_and_a_peak_near_22_workers_when_saving() -> None:
    laws = study("p1", saving=True)

    assert laws["Amdahl", "s"].value == pytest.approx(0.125, abs=0.005)
    assert laws["USL", "peak workers"].value == pytest.approx(22, abs=1)
    assert laws["USL", "kappa"].low > 0  # the peak is established: the interval has one throughout
    assert laws["USL", MISFIT].value < 0.6 * laws["Amdahl", MISFIT].value


def test_published_seconds_without_saving_prove_no_peak() -> None:
    laws = study("p1", saving=False)

    assert laws["Amdahl", "s"].value == pytest.approx(0.112, abs=0.005)
    assert laws["USL", "peak workers"].value == pytest.approx(46, abs=3)
    assert laws["USL", "peak workers"].high == math.inf


BASE = trial("sequential", 1, 10.0)


def strong_laws(walls_s: dict[int, float], usable_cpus: float = math.inf) -> pd.DataFrame:
    trials = frame([BASE, *(trial("p1", workers, wall_s) for workers, wall_s in walls_s.items())])
    return fit_laws(trials, usable_cpus)


AMDAHL_S = {workers: 10 / speedup for workers, speedup in zip((2, 4, 8, 16, 32), amdahl(0.1), strict=True)}


def test_points_beyond_the_usable_cpus_are_left_out() -> None:
    laws = strong_laws({1: 10.0, **AMDAHL_S, 64: 9.0}, usable_cpus=32)

    assert {*laws["workers"]} == {"2, 4, 8, 16, 32"}
    assert by_quantity(laws)["Amdahl", "s"].value == pytest.approx(0.1)


def test_four_counts_within_the_cpus_are_not_fitted() -> None:
    assert strong_laws({**AMDAHL_S, 64: 9.0}, usable_cpus=16).empty
    assert strong_laws({workers: AMDAHL_S[workers] for workers in (2, 4, 8, 16)}).empty


def test_repetitions_that_differ_by_more_than_the_residuals_make_the_interval() -> None:
    walls_s = [repeated("p1", workers, 0.9 * wall_s, wall_s / 0.9) for workers, wall_s in AMDAHL_S.items()]
    trials = frame([*repeated("sequential", 1, 10.0, 10.0), *(row for rows in walls_s for row in rows)])
    laws = by_quantity(fit_laws(trials))

    assert laws["Amdahl", MISFIT].value == pytest.approx(0, abs=1e-6)
    assert laws["Amdahl", "s"].low < 0.09 < 0.11 < laws["Amdahl", "s"].high


@pytest.mark.parametrize("rows", [[BASE], [trial("p1", 2, None, status=FAILED)], [trial("p1", 2, 5.0)]])
def test_points_without_any_speedup_are_no_error(rows: list[Row]) -> None:
    trials = frame(rows)
    assert fit_laws(trials).empty
