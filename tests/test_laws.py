"""Laws are recovered from the points that they make, and their intervals hold."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.analysis import published
from experiments.analysis.law_cases import Case, cases, relative_spread
from experiments.analysis.laws import AMDAHL, GUSTAFSON, USL, Fit, Law, extrapolate, fit, karp_flatt
from experiments.analysis.scaling import strong, weak
from experiments.records.schema import FAILED
from tests.frames import Row, frame, repeated, trial

COUNTS = [2, 4, 8, 16, 32]
FRACTIONS = st.floats(0, 1)


def fitted(law: Law, workers: list[int], speedup: npt.ArrayLike, spread: float = 0.0, dof: int = 1) -> Fit:
    result = fit(law, workers, speedup, spread, dof)
    assert result is not None
    return result


def only_case(points: pd.DataFrame, usable_cpus: int | None = None) -> Case:
    (result,) = cases(points, usable_cpus)
    return result


def study(strategy: str, saving: bool) -> dict[str, Fit]:
    """The laws of one strategy of the published strong scaling, by name."""
    result = cases(published.points("strong_scaling"))
    (case,) = [case for case in result if (case.strategy, case.saving) == (strategy, saving)]
    return {done.law.name: done for done in case.fits}


def test_amdahl_is_recovered_from_its_own_speedups() -> None:
    # s = 0.1: 1 / (0.1 + 0.9 / 2) = 1.8182, 1 / (0.1 + 0.9 / 4) = 3.0769, 1 / (0.1 + 0.9 / 9) = 5
    result = fitted(AMDAHL, [2, 4, 9], [1 / 0.55, 1 / 0.325, 5.0]).results()

    assert result["s"] == pytest.approx((0.1, 0.1, 0.1))
    assert result["limit 1/s"] == pytest.approx((10, 10, 10))


def test_usl_is_recovered_with_its_peak() -> None:
    # sigma = 0.19, kappa = 0.01: 2 / 1.21, 4 / 1.69, 8 / 2.89; peak sqrt(0.81 / 0.01) = 9, 9 / 3.24 there
    done = fitted(USL, [2, 4, 8], [2 / 1.21, 4 / 1.69, 8 / 2.89])

    assert {name: value for name, (value, *_) in done.results().items()} == pytest.approx(
        {"sigma": 0.19, "kappa": 0.01, "peak workers": 9.0, "peak speedup": 9 / 3.24}
    )
    assert done.residual_rms == pytest.approx(0, abs=1e-12)


def test_gustafson_is_recovered_from_scaled_speedups() -> None:
    # s = 0.25: 2 - 0.25 = 1.75, 4 - 0.75 = 3.25, 8 - 1.75 = 6.25
    assert fitted(GUSTAFSON, [2, 4, 8], [1.75, 3.25, 6.25]).results()["s"][0] == pytest.approx(0.25)


def test_without_coherency_usl_is_amdahl_and_has_no_peak() -> None:
    results = fitted(USL, [2, 4, 9], [1 / 0.55, 1 / 0.325, 5.0]).results()

    assert results["kappa"] == (0, 0, 0)
    assert results["peak workers"][0] == math.inf
    assert results["peak speedup"][0] == pytest.approx(10)


def test_a_speedup_that_falls_from_the_start_peaks_at_one_worker() -> None:
    results = fitted(USL, [2, 4, 8], [0.5, 0.25, 0.125]).results()

    assert results["peak workers"][0] == results["peak speedup"][0] == 1


@settings(max_examples=30, deadline=None)
@given(FRACTIONS, st.floats(0, 0.1))
def test_whatever_the_parameters_a_law_finds_them_again(sigma: float, kappa: float) -> None:
    p = np.array(COUNTS)
    speedups = {
        AMDAHL: 1 / (sigma + (1 - sigma) / p),
        USL: p / (1 + sigma * (p - 1) + kappa * p * (p - 1)),
        GUSTAFSON: p - sigma * (p - 1),
    }
    for law, speedup in speedups.items():
        expected = [sigma, kappa] if law is USL else [sigma]
        assert fitted(law, COUNTS, speedup).parameters == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_whatever_was_measured_parameters_stay_in_range_and_intervals_in_order(speedup: list[float]) -> None:
    for law in (AMDAHL, USL, GUSTAFSON):
        done = fitted(law, COUNTS, speedup)
        assert (done.samples >= 0).all()
        assert (done.samples <= law.upper).all()
        curve = extrapolate(done, [1, 4, 128])
        assert (curve["low"] <= curve["high"]).all()
        assert curve.iloc[0].tolist() == pytest.approx([1, 1, 1, 1])  # one worker is the reference


@pytest.mark.parametrize("spread", [0.0, 0.03], ids=["residuals", "repetitions"])
def test_intervals_cover_the_truth_as_often_as_they_say(spread: float) -> None:
    p, sigma, kappa, random = np.array(COUNTS), 0.05, 0.002, np.random.default_rng(1)
    truth = p / (1 + sigma * (p - 1) + kappa * p * (p - 1))
    at_64 = 64 / (1 + sigma * 63 + kappa * 64 * 63)
    covered = []
    for _ in range(60):
        baseline = 1 + spread * random.normal()  # known to be exact where no spread is
        done = fitted(
            USL, COUNTS, truth * baseline * (1 + 0.03 * random.normal(size=5)), spread=spread, dof=10
        )
        result, curve = done.results(), extrapolate(done, [64]).iloc[0]
        covered.append(
            [
                result["sigma"][1] <= sigma <= result["sigma"][2],
                result["kappa"][1] <= kappa <= result["kappa"][2],
                result["peak workers"][1] <= math.sqrt(0.95 / 0.002) <= result["peak workers"][2],
                curve["low"] <= at_64 <= curve["high"],
            ]
        )

    assert (np.mean(covered, axis=0) >= 0.87).all()  # of 60 at 95 %, fewer than one time in a hundred


def test_more_noise_makes_wider_intervals() -> None:
    low, high = (
        fitted(AMDAHL, [2, 4, 9], [1 / 0.55, 1 / 0.325, 5.0], spread=spread, dof=9).results()["s"][1:]
        for spread in (0.01, 0.05)
    )

    assert high[0] < low[0] < 0.1 < low[1] < high[1]


def test_the_spread_is_the_standard_error_of_the_mean() -> None:
    # range 0.4 of two: standard deviation 0.4 / sqrt(2), of the mean 0.2, relative to 10
    points = strong(frame([*repeated("sequential", 1, 9.8, 10.2), trial("p1", 2, 5.0)]))

    assert relative_spread(points) == pytest.approx((0.02, 1))
    assert relative_spread(points[points["strategy"] == "p1"]) == (0.0, 1)


def test_karp_flatt_of_one_published_cell() -> None:
    # P_1, saving, 2 workers: S = 82.07 / 43.72; e = (43.72 / 82.07 - 0.5) / 0.5 = 0.06543
    assert karp_flatt(82.07 / 43.72, 2) == pytest.approx(0.06543, abs=1e-5)


def test_karp_flatt_is_constant_where_amdahl_holds() -> None:
    assert [karp_flatt(1 / (0.2 + 0.8 / p), p) for p in COUNTS] == pytest.approx([0.2] * 5)


def test_the_published_seconds_imply_an_eighth_serial_and_a_peak_near_22_workers_when_saving() -> None:
    laws = study("p1", saving=True)

    assert laws["Amdahl"].results()["s"][0] == pytest.approx(0.125, abs=0.005)
    assert laws["USL"].results()["peak workers"][0] == pytest.approx(22, abs=1)
    assert laws["USL"].results()["kappa"][1] > 0  # the peak is established: the interval has one throughout
    assert laws["USL"].residual_rms < 0.6 * laws["Amdahl"].residual_rms


def test_the_published_seconds_without_saving_prove_no_peak() -> None:
    laws = study("p1", saving=False)

    assert laws["Amdahl"].results()["s"][0] == pytest.approx(0.112, abs=0.005)
    assert laws["USL"].results()["peak workers"][0] == pytest.approx(46, abs=3)
    assert laws["USL"].results()["peak workers"][2] == math.inf


def test_no_law_describes_the_published_queue_nor_its_weak_scaling() -> None:
    assert all(done.poor for done in study("pq", saving=True).values())
    weak_fits = [done for case in cases(published.points("weak_scaling")) for done in case.fits]

    assert len(weak_fits) == 5
    assert all(done.poor for done in weak_fits)


BASE = trial("sequential", 1, 10.0)
TIMES = {2: 5.5, 4: 3.25, 8: 2.125, 16: 5.0}  # Amdahl with s = 0.1 up to 8 CPUs, then a collapse


def amdahl_points() -> pd.DataFrame:
    return strong(frame([BASE, *(trial("p1", workers, wall_s) for workers, wall_s in TIMES.items())]))


def test_points_beyond_the_usable_cpus_are_left_out() -> None:
    case = only_case(amdahl_points(), usable_cpus=8)

    assert case.fits[0].workers == (2, 4, 8)
    assert case.fits[0].parameters == pytest.approx([0.1])


def test_with_too_few_counts_within_the_cpus_all_are_fitted() -> None:
    assert only_case(amdahl_points(), usable_cpus=4).fits[0].workers == (2, 4, 8, 16)


def test_two_counts_are_not_fitted() -> None:
    points = strong(frame([BASE, trial("p1", 1, 10.0), trial("p1", 2, 6.0), trial("p1", 4, 4.0)]))

    assert only_case(points).fits == []
    assert list(only_case(points).points["workers"]) == [2, 4]


@pytest.mark.parametrize("rows", [[BASE], [trial("p1", 2, None, status=FAILED)], [trial("p1", 2, 5.0)]])
def test_points_without_any_speedup_are_no_error(rows: list[Row]) -> None:
    result = cases(strong(frame(rows)))

    assert all(case.fits == [] and case.points.empty for case in result)
    assert len(result) == (rows != [BASE])


def weak_points(*, references: bool) -> pd.DataFrame:
    """Efficiency 0.5 by the study; 0.8 with the work that is really there, where that was measured."""
    rows = [trial("sequential", 1, 4.0, width=100, height=100)]
    for workers in (2, 4, 8):
        size = {"width": 100 * workers, "height": 100}
        rows.append(trial("p1", workers, 8.0, **size))
        if references:
            rows.append(trial("sequential", 1, 0.8 * 8.0 * workers, **size))
    return weak(frame(rows))


@pytest.mark.parametrize(
    ("references", "measure", "scaled"),
    [(True, "normalised_efficiency", [1.6, 3.2, 6.4]), (False, "efficiency", [1.0, 2.0, 4.0])],
)
def test_weak_scaling_uses_the_normalised_efficiency_where_it_is_known(
    references: bool, measure: str, scaled: list[float]
) -> None:
    case = only_case(weak_points(references=references))

    assert case.measure == measure
    assert case.points["speedup"].tolist() == pytest.approx(scaled)
    assert [done.law for done in case.fits] == [GUSTAFSON]
