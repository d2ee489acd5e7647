"""Comparisons of two folders: hand-computed verdicts, and how often they are wrong."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from experiments.analysis.compare import NothingToCompareError, compare, environments
from experiments.analysis.statistics import FLOOR, LEVEL, change, in_words
from experiments.records import store
from experiments.records.schema import FAILED
from experiments.report.compare import main
from tests.frames import BEGIN, Row, frame, repeated, trial

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
    assert in_words(*numbers) == words


def verdicts(a: list[Row], b: list[Row]) -> dict[tuple[str, int], str]:
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


def test_cells_are_paired_by_their_work_not_by_code_machine_repetitions_or_order() -> None:
    a = repeated("p1", 2, 10.0, 10.0, code_digest="1", machine="m1")
    b = repeated("p1", 2, 10.0, 10.0, 10.0, code_digest="2", machine="m2", repetitions=3)
    assert len(compare(frame(a), frame(b[::-1]))) == 1

    other = repeated("p1", 2, 10.0, 10.0, runtime='{"start_method": "spawn"}')
    with pytest.raises(NothingToCompareError):
        compare(frame(a), frame(other))


def test_untouched_code_is_not_called_slower_for_trials_in_memory_beside_those_on_disk() -> None:
    memory = {"output_file_system": "tmpfs /dev/shm", "strategy_options": '{"chunk": 1}', "ablation": "tmpfs"}
    disk = {"output_file_system": "ext4 /"}
    a = frame([*repeated("p2", 2, 10.0, 10.0, **disk), *repeated("p2", 2, 5.0, 5.0, **memory)])
    b = frame([*repeated("p2", 2, 5.0, 5.0, **memory), *repeated("p2", 2, 10.0, 10.0, **disk)])

    assert set(compare(a, b)["verdict"]) == {"no difference (-8 to +8 %)"}


def test_sizes_that_differ_pair_with_themselves() -> None:
    native = {"width": None, "height": None, "inputs_digest": "native"}
    both = [*repeated("p1", 2, 9.0, 9.0, **native), *repeated("p1", 2, 5.0, 5.0)]

    result = compare(frame(both), frame(repeated("p1", 2, 9.0, 9.0, **native)))

    assert set(result["verdict"]) == {"no difference (-8 to +8 %)", "only in A"}


def test_a_trial_that_failed_before_its_inputs_were_known_is_of_the_cell_it_agrees_with() -> None:
    early = trial("p1", 2, None, status=FAILED, inputs_digest=None, width=None, height=None)
    measured = repeated("p1", 2, 9.0, 9.0)

    assert verdicts([early, *measured], measured) == {("p1", 2): "no difference (-8 to +8 %)"}
    assert verdicts([*measured, *repeated("p2", 2, 1.0, 1.0)], [early, *repeated("p2", 2, 1.0, 1.0)]) == {
        ("p1", 2): "not measured in B",
        ("p2", 2): "no difference (-8 to +8 %)",
    }


def test_of_each_side_the_newest_code_counts_and_all_its_trials() -> None:
    later = BEGIN + timedelta(days=1)
    newer = repeated("p1", 2, 4.0, 5.0, code_digest="newer", started_at=later)
    rerun = repeated("p1", 2, 6.25, code_digest="newer", sweep="rerun", started_at=later)
    result = compare(
        frame([*newer, *rerun, *repeated("p1", 2, 9.0, 9.0)]), frame(repeated("p1", 2, 5.0, 5.0))
    )

    assert (result["repetitions_a"].item(), result["wall_s_a"].item()) == (3, pytest.approx(5.0))


def test_the_drift_of_the_kernel_widens_the_interval() -> None:
    a, b = frame(repeated("p1", 2, 10.0, 10.0)), frame(repeated("p1", 2, 11.5, 11.5))
    assert compare(a, b)["verdict"][0] == "B is slower by 15 % (6 to 25 %)"

    kernel = {"kernel_before_s": 1.0, "kernel_after_s": 1.0}
    slower = {name: 1.1 * seconds for name, seconds in kernel.items()}
    result = compare(a.assign(**kernel), b.assign(**slower))
    assert result["verdict"][0] == "no difference (-3 to +37 %)"  # 1.15 exp(±0.08) 1.1**±1 - 1


def test_what_differs_between_the_sides_is_said() -> None:
    a, b = frame([trial("p1", 2, 1.0)]), frame([trial("p1", 2, 1.0, machine="m2", numpy_version="2.1.0")])

    assert environments(a, a) == "A and B: same machine, code and versions."
    assert environments(a, b) == (
        "A and B differ: a difference may be the machine's: machine m1 / m2; numpy_version 2.0.0 / 2.1.0."
    )


def written(folder: Path, rows: list[Row]) -> Path:
    for row in rows:
        store.write(folder, "label", row, {})
    return folder


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = written(tmp_path / "a", [*repeated("p1", 2, 10.0, 10.0), *repeated("p1", 2, 5.0, 5.0, seed=1)])
    b = written(tmp_path / "b", repeated("p1", 2, 5.0, 5.0))

    main([str(a), str(b / "trials")])

    title, environment, _, names, _, *rows, _, note = capsys.readouterr().out.splitlines()
    assert title == f"B against A: A is {tmp_path}/a, B is {tmp_path}/b/trials"
    assert environment == "A and B: same machine, code and versions."
    assert names.split() == ["strategy", "workers", "saving", "seed", "A", "(s)", "B", "(s)", "verdict"]
    assert [row.split(maxsplit=6) for row in rows if row] == [
        ["p1", "2", "yes", "0", "10.00", "5.00", "B is faster by 50 % (46 to 54 %)"],
        ["p1", "2", "yes", "1", "5.00", "-", "only in A"],
    ]
    assert note.startswith("Per cent of A's time")


def test_errors_take_one_line(tmp_path: Path) -> None:
    a = written(tmp_path / "a", repeated("p1", 2, 10.0))
    b = written(tmp_path / "b", repeated("p1", 4, 10.0))

    with pytest.raises(SystemExit, match=r"none: no trials$"):
        main([str(a), str(tmp_path / "none")])
    with pytest.raises(SystemExit, match=r"/a, .*/b: no cell was measured in both$"):
        main([str(a), str(b)])
