"""Comparisons of two folders: hand-computed verdicts, and how often they are wrong."""

import re
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments import ROOT
from experiments.analysis.compare import NO_DIFFERENCE, SLOWER, changes, compare, environment_changes
from experiments.analysis.occasions import PRIOR, PRIOR_DOF
from experiments.analysis.select import NoTrialsError
from experiments.report.compare import environment_line, main, verdict_text
from experiments.store import files as store
from experiments.store.columns import FAILED
from experiments.sweep.interleaved import combinations, measure
from tests.helpers.stored_results import stored
from tests.helpers.trial_rows import BEGIN, Row, frame, repeated, trial

WORKERS = (2, 3, 4, 5, 6)
DAY = timedelta(days=1)


def around(wall_s: float) -> tuple[float, float]:
    """Return two repetitions with this geometric mean.

    Times of this spread agree within 18 %: the standard error of a change is √2 (ln 1.01 + 5 %), and t of
    nine degrees of freedom is 2.3.
    """
    return wall_s / 1.01, wall_s * 1.01


def claims(random: np.random.Generator, change: float, baselines: int = 1) -> float:
    """Return the share of cells that are called faster or slower if B takes so many times as long as A.

    The machine's speed differs by 5 % between occasions, of which A and B are one each, and between rounds.
    """
    cells = frame(
        row for workers in WORKERS for _ in range(baselines) for row in repeated("p2", workers, 1.0, 1.0, 1.0)
    )
    cells["cell"] = cells["workers"]

    def measured(side: str, wall_s: float) -> pd.DataFrame:
        rounds = 0.05 * (random.normal() + random.normal(size=3))[cells["round"]]
        noise = np.exp(rounds + 0.02 * random.normal(size=len(cells)))
        return cells.assign(side=side, wall_s=wall_s * noise)

    found = [
        estimate.interval()
        for _ in range(40)
        for estimate in changes(pd.concat([measured("a", 1.0), measured("b", change)]))[1].values()
    ]
    return float(np.mean([each.low > 0 or each.high < 0 for each in found]))


@pytest.mark.once
@pytest.mark.parametrize("baselines", [1, 2])
def test_identical_code_rarely_differs_on_another_occasion(baselines: int) -> None:
    assert claims(np.random.default_rng(1), 1.0, baselines) <= 0.08


@pytest.mark.once
def test_change_of_60_percent_is_found() -> None:
    assert claims(np.random.default_rng(2), 1.6) > 0.9


def test_interval_of_one_cell_is_that_of_student_and_what_occasions_differ_by() -> None:
    a_s, b_s = np.array([10.0, 10.5, 9.8]), np.array([14.7, 15.0, 15.75])  # of one spread
    error = np.log(a_s).std(ddof=1) * np.sqrt(2 / 3)
    occasions = PRIOR * np.sqrt(2)
    dof = (error**2 + occasions**2) ** 2 / (error**4 / 4 + occasions**4 / PRIOR_DOF)
    half = stats.t.ppf(0.975, dof) * np.hypot(error, occasions)
    [cell] = compare(frame(repeated("p2", 2, *a_s)), frame(repeated("p2", 2, *b_s))).to_dict("records")
    assert cell["change"] == pytest.approx(0.5)
    ends = [np.log(1.5) - half, np.log(1.5) + half]
    assert np.log1p([cell["low"], cell["high"]]) == pytest.approx(ends)


def test_sweeps_of_one_cell_each_give_no_more_degrees_of_freedom_than_residuals() -> None:
    rows = [
        row | {"sweep": name, "cell": name}
        for name in ("p1", "p2")
        for row in repeated(name, 2, *around(10.0))
    ]
    both = pd.concat([frame(rows).assign(side=side) for side in "ab"])
    assert changes(both)[0].dof == 4  # eight trials, four cells


def test_results_of_several_days_show_what_occasions_differ_by() -> None:
    def days(*walls_s: float) -> pd.DataFrame:
        rows = (
            row
            for day, wall_s in enumerate(walls_s)
            for row in repeated("p2", 2, *around(wall_s), sweep=f"{day}", started_at=BEGIN + day * DAY)
        )
        return frame(rows)

    one, calm, restless = (
        compare(days(*a), days(*b))
        for a, b in (((10,), (11.5,)), ((10,) * 5, (11.5,) * 5), ((8, 10, 12) * 2, (10, 12, 14) * 2))
    )
    widths = [float((each["high"] - each["low"]).item()) for each in (calm, restless, one)]
    assert 2 * widths[0] < min(widths[1:])
    assert [each["verdict"].item() for each in (one, calm)] == [NO_DIFFERENCE, SLOWER]


def verdicts(a: list[Row], b: list[Row]) -> dict[tuple[str, int], str]:
    cells = compare(frame(a), frame(b))
    return {(cell["strategy"], cell["workers"]): verdict_text(cell) for cell in cells.to_dict("records")}


def test_every_cell_of_either_side_has_a_verdict() -> None:
    a = [*repeated("p1", 2, *around(10.0)), *repeated("p1", 4, *around(5.0)), *repeated("p2", 2, 9.0)]
    a += [*repeated("p2", 4, *around(5.0)), *repeated("pq", 2, 9.0), *repeated("p1", 8, 4.0)]
    b = [*repeated("p1", 2, *around(20.0)), *repeated("p1", 4, *around(5.1)), *repeated("p2", 2, 1.0)]
    b += [*repeated("p2", 4, *around(2.5)), trial("pq", 2, None, status=FAILED), *repeated("p1", 16, 4.0)]
    assert verdicts(a, b) == {
        ("p1", 2): "B is slower by 100 % (69.6–136)",
        ("p1", 4): "no difference: +2.00 % (-13.5 to +20.3)",
        ("p2", 2): "not decided: one round",
        ("p2", 4): "B is faster by 50.0 % (41.0–57.6)",
        ("pq", 2): "not measured in B",
        ("p1", 8): "only in A",
        ("p1", 16): "only in B",
    }


def test_cells_are_paired_by_their_work() -> None:
    a = repeated("p1", 2, 10.0, 10.0, code_digest="1", machine="m1")
    b = repeated("p1", 2, 10.0, 10.0, 10.0, code_digest="2", machine="m2", repetitions=3)
    assert len(compare(frame(a), frame(b[::-1]))) == 1
    other = repeated("p1", 2, 10.0, 10.0, runtime='{"start_method": "spawn"}')
    with pytest.raises(NoTrialsError):
        compare(frame(a), frame(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"output_file_system": "ext4 /"}, {"output_file_system": "tmpfs /dev/shm", "ablation": "tmpfs"}),
        ({"strategy_options": '{"chunk": null}'}, {"strategy_options": '{"chunk": 1}'}),
        ({"width": None, "height": None, "inputs_digest": "native"}, {}),
    ],
    ids=["file system", "options", "native sizes"],
)
def test_trials_of_different_work_are_paired_with_their_own_kind(one: Row, other: Row) -> None:
    slow, fast = repeated("p2", 2, *around(10.0), **one), repeated("p2", 2, *around(5.0), **other)
    both = compare(frame([*slow, *fast]), frame([*fast, *slow]))
    assert both["verdict"].tolist() == [NO_DIFFERENCE] * 2


def test_compare_takes_all_trials_of_the_newest_code_of_each_side() -> None:
    later = BEGIN + DAY
    newer = repeated("p1", 2, 4.0, 5.0, code_digest="newer", started_at=later)
    rerun = repeated("p1", 2, 6.25, code_digest="newer", sweep="rerun", started_at=later)
    result = compare(
        frame([*newer, *rerun, *repeated("p1", 2, 9.0, 9.0)]), frame(repeated("p1", 2, 5.0, 5.0))
    )
    assert result["wall_s_a"].item() == pytest.approx(5.0)


def test_differences_between_environments_are_named() -> None:
    newer = '{"numpy": "2.1.0"}'
    a, b = frame([trial("p1", 2, 1.0)]), frame([trial("p1", 2, 1.0, machine="m2", packages=newer)])
    assert environment_changes(a, b).keys() == {"machine", "package numpy"}
    assert environment_line(a, b) == (
        "A and B differ: a difference may be the machine's: machine m1 / m2; package numpy 2.0.0 / 2.1.0."
    )


def written(folder: Path, rows: list[Row]) -> Path:
    for row in rows:
        store.write(folder, "label", row, {})
    return folder


def test_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = written(tmp_path / "a", [*repeated("p1", 2, *around(10.0)), *repeated("p1", 2, *around(5.0), seed=1)])
    b = written(tmp_path / "b", repeated("p1", 2, *around(5.0)))
    main([str(a), str(b / "trials")])
    title, environment, _, names, _, *rows, _, note = capsys.readouterr().out.splitlines()
    assert title == f"B against A: A is {tmp_path}/a, B is {tmp_path}/b/trials"
    assert environment == "A and B: same machine, code and versions."
    assert names.split() == ["strategy", "workers", "saving", "seed", "A", "(s)", "B", "(s)", "verdict"]
    assert [row.split(maxsplit=6) for row in rows if row] == [
        ["P_1", "2", "yes", "0", "10.0", "5.00", "B is faster by 50.0 % (41.1–57.6)"],
        ["P_1", "2", "yes", "1", "5.00", "-", "only in A"],
    ]
    assert note.startswith("Changes are in per cent of A's time")


def test_command_fails_on_request_if_any_cell_is_surely_slower(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = repeated("p1", 2, *around(5.0))
    a = written(tmp_path / "a", [*same, *repeated("p2", 2, *around(5.0)), *repeated("pq", 2, 1.0)])
    b = written(tmp_path / "b", [*same, *repeated("p2", 2, *around(10.0)), *repeated("pq", 2, 9.0)])
    with pytest.raises(
        SystemExit, match=r"^1 cell slower:\nP_2  2  .*  B is slower by 100 % \([\d.]+–\d+\)$"
    ):
        main([str(a), str(b), "--fail-on", "slower"])
    assert "B is slower by 100 %" in capsys.readouterr().out
    main([str(a), str(b)])
    main([str(b), str(a), "--fail-on", "slower"])


def test_folders_without_a_common_cell_are_refused(tmp_path: Path) -> None:
    a = written(tmp_path / "a", repeated("p1", 2, 10.0))
    b = written(tmp_path / "b", repeated("p1", 4, 10.0))
    with pytest.raises(SystemExit, match=r"none: no trials; give a folder of results or of trials$"):
        main([str(a), str(tmp_path / "none")])
    with pytest.raises(SystemExit, match=r"/a, .*/b: no cell was measured in both$"):
        main([str(a), str(b)])


def test_results_of_neighbours_only_are_refused(tmp_path: Path) -> None:
    for side in "ab":
        stored(tmp_path / side, trials=[trial("interference", 2, 5.0)])
    with pytest.raises(SystemExit, match="no trials"):
        main([str(tmp_path / "a"), str(tmp_path / "b")])


def test_trials_in_turns_share_a_block_so_that_drift_cancels() -> None:
    drift = [1.0, 1.5, 2.2, 1.1]
    a, b = (frame(repeated("p1", 2, *(side * each for each in drift))) for side in (1.0, 1.1))
    assert compare(a, b)["verdict"].item() == NO_DIFFERENCE
    in_turns = compare(a, b, in_turns=True)
    assert in_turns["verdict"].item() == SLOWER
    assert in_turns["change"].item() == pytest.approx(0.1)


def test_trials_that_only_one_side_has_from_earlier_are_no_turns() -> None:
    b = frame(repeated("p1", 2, 1.1, 1.65, 2.42))
    earlier = repeated("p1", 2, 1.0, 7.0, sweep="earlier", started_at=BEGIN - DAY)
    a = frame([*earlier, *repeated("p1", 2, 1.0, 1.5, 2.2)])
    assert compare(a, b, in_turns=True)["change"].item() == pytest.approx(0.1)


def test_words_of_a_sweep_become_their_combinations() -> None:
    words = ["strategy=p1,p2", "workers=2", "image_size='64x48'", "seed=range(0,2)"]
    rest = ["workers=2", "image_size='64x48'"]
    assert combinations(words) == [
        [f"strategy={name}", *rest, f"seed={seed}"] for name in ("p1", "p2") for seed in (0, 1)
    ]


def test_folder_of_the_rounds_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("experiments.sweep.interleaved._run", commands.append)
    measure([sys.executable] * 2, 1, tmp_path / "Ann's", ["workers=2"])
    words = [word for command in commands for word in command if word.startswith("results_dir=")]
    assert sorted(words) == [f'results_dir="{tmp_path}/Ann\'s/{side}"' for side in "ab"]


@pytest.mark.parametrize("word", ["workers=2;", "strategy=glob(p*)"])
def test_word_that_is_no_choice_is_one_line(
    word: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([sys.executable, sys.executable, "--interleaved", word, "--results", str(tmp_path)])
    assert end.value.code == 2
    assert re.fullmatch("error: .*\n", capfd.readouterr().err)


def test_checkouts_are_measured_in_turns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["strategy=sequential", "n_images=1", "n_augmentations=2", "image_size=64x48", "seed=1,2"]
    sides = [str(ROOT), sys.executable]
    for _ in range(2):  # the second command adds a round
        main([*sides, "--interleaved", *words, "--rounds", "1", "--results", str(tmp_path)])
    a, b = (store.read(tmp_path / side / "trials", "trials") for side in "ab")
    order = pd.concat([a.assign(side="a"), b.assign(side="b")]).sort_values("started_at")
    assert order["seed"].tolist() == [1, 1, 2, 2, 1, 1, 2, 2]
    assert (order["side"].to_numpy().reshape(4, 2) != order["side"].to_numpy().reshape(4, 2)[:, ::-1]).all()
    assert "A and B were measured in turns." in capsys.readouterr().out


def test_side_that_is_nothing_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["no-such-commit", str(ROOT), "--interleaved", "workers=1"])
    assert "no-such-commit" in capfd.readouterr().err
