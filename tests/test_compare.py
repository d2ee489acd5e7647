"""Comparisons of two folders: hand-computed verdicts, and how often they are wrong."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from experiments.analysis.compare import NothingToCompareError, compare, main, surroundings
from experiments.analysis.statistics import FLOOR, LEVEL, change, verdict
from experiments.records import store
from experiments.records.schema import FAILED, Trial
from tests.frames import BEGIN, frame, repeated, trial

RUNS = 20_000


def times(rng: np.random.Generator, repetitions: int, noise: float, factor: float = 1) -> NDArray[np.float64]:
    """Wall times of RUNS runs: lognormal repetitions about a level that drifts by 3 % from run to run,
    and one repetition in 20 takes 30 % longer."""
    level = rng.normal(0, 0.03, (RUNS, 1))
    outlier = np.where(rng.random((RUNS, repetitions)) < 0.05, 1.3, 1.0)
    return factor * np.exp(level + rng.normal(0, noise, (RUNS, repetitions))) * outlier


def claims(a_s: NDArray[np.float64], b_s: NDArray[np.float64]) -> float:
    """The share of the runs that are called faster or slower."""
    _, low, high = change(a_s, b_s)
    return float(np.mean((low > 0) | (high < 0)))


@pytest.mark.parametrize("noise", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("repetitions", [(2, 2), (2, 3), (3, 3), (5, 5), (10, 10)])
def test_identical_code_shows_no_difference(repetitions: tuple[int, int], noise: float) -> None:
    rng = np.random.default_rng(1)
    sides = [times(rng, n, noise) for n in repetitions]

    assert claims(*sides) < 0.02


@pytest.mark.parametrize("factor", [1.3, 1 / 1.3, 0.7])
def test_a_change_of_30_percent_is_found_with_3_repetitions_of_2_percent_noise(factor: float) -> None:
    rng = np.random.default_rng(2)
    a_s, b_s = (factor * np.exp(rng.normal(0, 0.02, (RUNS, 3))) for factor in (1, factor))

    assert claims(a_s, b_s) > 0.99


def test_the_interval_is_welch_s_made_wider() -> None:
    a_s, b_s = np.array([10.0, 10.5, 9.8]), np.array([12.0, 14.0])
    welch = stats.ttest_ind(np.log(b_s), np.log(a_s), equal_var=False).confidence_interval(LEVEL)

    middle, low, high = change(a_s, b_s, drift=-0.05)

    assert middle == pytest.approx((12 * 14) ** (1 / 2) / (10 * 10.5 * 9.8) ** (1 / 3) - 1)
    assert np.log1p(low) == pytest.approx(welch.low - FLOOR - 0.05)
    assert np.log1p(high) == pytest.approx(welch.high + FLOOR + 0.05)


def test_equal_times_leave_the_floor() -> None:
    assert change([2.0, 2.0], [2.0, 2.0]) == pytest.approx((0, np.exp(-0.08) - 1, np.exp(0.08) - 1))


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((-0.12, -0.16, -0.08), "B is faster by 12 % (8 to 16 %)"),
        ((0.25, 0.1, 0.4), "B is slower by 25 % (10 to 40 %)"),
        ((0.005, -0.03, 0.04), "no difference (-3 to +4 %)"),
    ],
)
def test_verdicts_in_words(numbers: tuple[float, float, float], words: str) -> None:
    assert verdict(*numbers) == words


def verdicts(a: list[Trial], b: list[Trial]) -> dict[tuple[str, int], str]:
    cells = compare(frame(a), frame(b))
    return {(cell["strategy"], cell["workers"]): cell["verdict"] for cell in cells.to_dict("records")}


def test_every_cell_of_either_side_has_its_verdict() -> None:
    a = [*repeated("p1", 2, 10.0, 10.0), *repeated("p1", 4, 5.0, 5.0), *repeated("p2", 2, 9.0)]
    a += [*repeated("p2", 4, 5.0, 5.0), *repeated("pq", 2, 9.0, 9.0), *repeated("p1", 8, 4.0, 4.0)]
    b = [*repeated("p1", 2, 20.0, 20.0), *repeated("p1", 4, 5.1, 5.1), *repeated("p2", 2, 1.0)]
    b += [*repeated("p2", 4, 2.5, 2.5), trial("pq", 2, None, status=FAILED), *repeated("p1", 16, 4.0, 4.0)]

    assert verdicts(a, b) == {
        ("p1", 2): "B is slower by 100 % (85 to 117 %)",  # 2 exp(±0.08) - 1
        ("p1", 4): "no difference (-6 to +10 %)",
        ("p2", 2): "not decided: one repetition",
        ("p2", 4): "B is faster by 50 % (46 to 54 %)",
        ("pq", 2): "not measured in B",
        ("p1", 8): "only in A",
        ("p1", 16): "only in B",
    }


def test_cells_are_matched_by_their_work_not_by_code_repetitions_or_order() -> None:
    a = repeated("p1", 2, 10.0, 10.0, code_digest="1", cell="a")
    b = repeated("p1", 2, 10.0, 10.0, 10.0, code_digest="2", cell="b", repetitions=3)
    assert len(compare(frame(a), frame(b[::-1]))) == 1

    other = repeated("p1", 2, 10.0, 10.0, runtime='{"start_method": "spawn"}')
    with pytest.raises(NothingToCompareError):
        compare(frame(a), frame(other))


def test_sizes_that_differ_or_are_unknown_match_themselves() -> None:
    native = [*repeated("p1", 2, 9.0, 9.0, width=None, height=None), *repeated("p1", 2, 5.0, 5.0)]
    only_native = repeated("p1", 2, 9.0, 9.0, width=None, height=None)

    found = compare(frame(native), frame(only_native))

    assert set(found["verdict"]) == {"no difference (-8 to +8 %)", "only in A"}


def test_of_a_cell_measured_twice_the_newer_counts() -> None:
    later = [replace(one, started_at=BEGIN + timedelta(days=1)) for one in repeated("p1", 2, 5.0, 5.0)]
    newer = [replace(one, cell="newer", code_digest="newer") for one in later]

    assert verdicts([*newer, *repeated("p1", 2, 9.0, 9.0)], newer) == {
        ("p1", 2): "no difference (-8 to +8 %)"
    }


def test_the_drift_of_the_kernel_widens_the_interval() -> None:
    a, b = frame(repeated("p1", 2, 10.0, 10.0)), frame(repeated("p1", 2, 11.5, 11.5))
    assert compare(a, b)["verdict"][0] == "B is slower by 15 % (6 to 25 %)"

    kernel = pd.DataFrame({"kernel_before_s": [1.0, 1.0], "kernel_after_s": [1.0, None]})
    slower = b.drop(columns=list(kernel), errors="ignore").join(1.1 * kernel)
    found = compare(a.drop(columns=list(kernel), errors="ignore").join(kernel), slower)
    assert found["verdict"][0] == "no difference (-3 to +37 %)"  # 1.15 exp(±0.08) 1.1**±1 - 1


def test_what_differs_between_the_sides_is_said() -> None:
    a, b = frame([trial("p1", 2, 1.0)]), frame([trial("p1", 2, 1.0, machine="m2", numpy_version="2.1.0")])

    assert surroundings(a, a) == "A and B: same machine, code and versions."
    assert surroundings(a, b) == (
        "A and B differ: a difference may be the machine's: machine m1 / m2; numpy_version 2.0.0 / 2.1.0."
    )


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.write(tmp_path / "a", "one", repeated("p1", 2, 10.0, 10.0), [])
    store.write(tmp_path / "b", "one", repeated("p1", 2, 5.0, 5.0), [])

    main([str(tmp_path / "a"), str(tmp_path / "b" / "trials")])

    title, header, _, names, row, _, *notes = capsys.readouterr().out.splitlines()
    assert title == f"B against A: A is {tmp_path}/a, B is {tmp_path}/b/trials"
    assert names.split() == ["saving", "strategy", "workers", "A", "(s)", "B", "(s)", "verdict"]
    assert row.split(maxsplit=5) == ["True", "p1", "2", "10.00", "5.00", "B is faster by 50 % (46 to 54 %)"]
    assert header == "A and B: same machine, code and versions."
    assert len(notes) == 1


def test_errors_take_one_line(tmp_path: Path) -> None:
    store.write(tmp_path / "a", "one", repeated("p1", 2, 10.0), [])
    store.write(tmp_path / "b", "one", repeated("p1", 4, 10.0), [])

    with pytest.raises(SystemExit, match=r"none: no trials$"):
        main([str(tmp_path / "a"), str(tmp_path / "none")])
    with pytest.raises(SystemExit, match=r"/a, .*/b: no cell was measured in both$"):
        main([str(tmp_path / "a"), str(tmp_path / "b")])
