"""Sweeps that count the trials in the results; trials are faked here."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from augment.datasets.synthetic import Synthetic
from augment.options import OptionError
from augment.strategies import STRATEGIES
from augment.strategies.engines.ray import Ray
from experiments.config.cell import Cell, CellFailedError
from experiments.config.options import Config
from experiments.machine import environment
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK
from experiments.sweep import preflight
from experiments.sweep.cells import SweepCell, result_line
from experiments.sweep.results_lock import exclusive_use
from experiments.sweep.sweep import Sweep
from experiments.trial import measure
from experiments.trial.measure import Measurement
from tests.helpers.commands import wait_until

Trial = Callable[[Cell], dict[str, Any]]


def ok(_: Cell) -> dict[str, Any]:
    return {"status": OK, "wall_s": 2.0, "outputs": 8, "tasks": 4, "n_images": 2}


class Killed(BaseException):
    """The sweep's process ends here."""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Trial], None]:
    """Replace the run of a trial by a function of its cell, which is always ok at first."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(preflight, "first_machine_findings", list)

    def put(trial: Trial) -> None:
        monkeypatch.setattr(measure, "measure", lambda cell, *_: Measurement(trial(cell)))

    put(ok)
    return put


@pytest.fixture
def run(fake: Callable[[Trial], None], tmp_path: Path) -> Callable[..., list[SweepCell]]:
    def measure(*names: str, workers: int = 2, **options: Any) -> list[SweepCell]:
        known: dict[str, Any] = {
            "dataset": Synthetic(),
            "pipeline": {"transforms": [{"_target_": "albumentations.HorizontalFlip"}]},
            **{"image_size": "20x10", "n_images": 2, "n_augmentations": 2, "results_dir": str(tmp_path)},
        }
        configs = [
            Config(strategy=STRATEGIES[name](), workers=workers, **(known | options)) for name in names
        ]
        return Sweep([Cell(config) for config in configs], in_sweep=len(configs) > 1).measure()

    return measure


def rows(results: Path) -> pd.DataFrame:
    return pd.read_parquet(results / "trials" / "adhoc").sort_values("started_at")


def counts(results: Path) -> dict[str, int]:
    return dict(rows(results).groupby("strategy").size())


def test_more_repetitions_add_only_the_missing_trials(run: Any, tmp_path: Path) -> None:
    run("p1", "p2", repetitions=2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    run("p1", "p2", repetitions=4)
    assert counts(tmp_path) == {"p1": 4, "p2": 4}
    assert all(path.read_bytes() == content for path, content in before.items()), "nothing is rewritten"
    assert set(rows(tmp_path)["earlier_ok"]) == {0, 1, 2, 3}
    assert rows(tmp_path)["sweep"].nunique() == 2


def test_repeated_command_measures_nothing(run: Any, tmp_path: Path, capsys: Any) -> None:
    run("p1", "p2")
    capsys.readouterr()
    run("p1", "p2")
    assert counts(tmp_path) == {"p1": 2, "p2": 2}
    assert capsys.readouterr().out.startswith("2 already measured of 2 cells\nrerun=true measures again")


def test_trials_of_all_nodes_count_but_those_of_two_share_no_mean(
    run: Any, fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "machine_columns", environment.machine_columns.__wrapped__)
    monkeypatch.setenv("SLURMD_NODENAME", "a")
    run("p1", repetitions=2)
    monkeypatch.setenv("SLURMD_NODENAME", "b")
    run("p1", repetitions=2)
    assert list(rows(tmp_path)["node"]) == ["a", "a"], "nothing is measured again"
    fake(lambda cell: ok(cell) | {"wall_s": 6.0})
    [result] = run("p1", repetitions=3)
    assert list(rows(tmp_path)["node"]) == ["a", "a", "b"]
    assert result.seconds_per_task() == 6.0 / 4
    assert result_line(result).startswith("p1-2w-20x10-saving: 6.00 s, ")
    assert rows(tmp_path)["warnings"].isna().all(), "two nodes are no scatter of one"


@pytest.mark.parametrize(
    ("strategy", "numbers"),
    [("p1", "6.00 s, 1.00"), ("copies", "6.00 s, 2.00"), ("interference", "6.00 s, 6")],
)
def test_line_of_a_cell_has_the_rate_of_all_its_workers(
    strategy: str, numbers: str, run: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.config.cell.usable_cpus", lambda: 2)
    fake(lambda cell: ok(cell) | {"wall_s": 6.0, "tasks": 6, "outputs": 6})
    [result] = run(strategy, repetitions=1)
    assert result_line(result).partition(": ")[2].startswith(numbers)


def test_trial_of_a_command_that_was_waited_for_is_no_load(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples: list[int] = []
    monkeypatch.setattr(preflight, "begin_load_sample", cache(lambda: samples.append(1)))
    monkeypatch.setattr(preflight, "first_machine_findings", lambda: preflight.begin_load_sample() or [])
    with ThreadPoolExecutor(1) as thread:
        with exclusive_use(tmp_path):
            later = thread.submit(run, "p1", repetitions=1)
            wait_until(lambda: len(list(tmp_path.glob("*turn*"))) == 2)
        later.result(60)
    assert len(samples) == 2, "a new one, when the turn had come"


@pytest.mark.parametrize("address", ["../../x", "ray://h:1", "a" * 300])
def test_cell_with_odd_characters_in_its_options_is_found_again(
    address: str, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ray, "package", "concurrent")  # which is installed
    monkeypatch.setitem(STRATEGIES, "ray", partial(Ray, address=address))
    for _ in range(2):
        run("ray", repetitions=1)
    [path] = tmp_path.rglob("*.parquet")
    assert path.parent == tmp_path / "trials" / "adhoc"
    assert counts(tmp_path) == {"ray": 1}


def test_rerun_adds_as_many_trials_as_requested(run: Any, tmp_path: Path) -> None:
    run("p1", repetitions=2)
    run("p1", repetitions=3, rerun=True)
    assert counts(tmp_path) == {"p1": 5}


def test_every_round_holds_every_cell_once_and_the_baseline_twice(run: Any, tmp_path: Path) -> None:
    run("p1", "p2", "pq", repetitions=3, with_baseline=True)
    by_round = rows(tmp_path).groupby("round")["strategy"].apply(sorted)
    assert list(by_round) == [["p1", "p2", "pq", "sequential", "sequential"]] * 3


def test_sweep_killed_inside_a_round_finishes_it_first(run: Any, fake: Any, tmp_path: Path) -> None:
    started = 0

    def killed_in_the_second_round(cell: Cell) -> dict[str, Any]:
        nonlocal started
        started += 1
        if started == 5:
            raise Killed
        return ok(cell)

    fake(killed_in_the_second_round)
    with pytest.raises(Killed):
        run("p1", "p2", "pq", repetitions=3)
    assert len(rows(tmp_path)) == 4
    first = set(rows(tmp_path)["trial_id"])
    fake(ok)
    run("p1", "p2", "pq", repetitions=3)
    assert counts(tmp_path) == {"p1": 3, "p2": 3, "pq": 3}
    assert first <= set(rows(tmp_path)["trial_id"])
    later = rows(tmp_path)[~rows(tmp_path)["trial_id"].isin(first)]
    assert list(later.groupby("round").size()) == [2, 3], "the interrupted round first, then a whole one"


def test_failed_trial_is_measured_anew_and_discards_none(run: Any, fake: Any, tmp_path: Path) -> None:
    statuses = iter([OK, FAILED, OK])
    fake(lambda cell: ok(cell) | {"status": next(statuses), "error": "no luck"})
    [result] = run("p1", repetitions=3)
    with pytest.raises(CellFailedError, match="p1-2w-20x10-saving failed: no luck"):
        result.seconds_per_task()
    fake(ok)
    [result] = run("p1", repetitions=3)
    assert result.seconds_per_task() == 2.0 / 4
    assert list(rows(tmp_path)["status"]) == [OK, FAILED, OK, OK]
    assert list(rows(tmp_path)["earlier_ok"]) == [0, 1, 1, 2]


def test_outputs_are_held_together_if_the_same_images_were_skipped(
    run: Any, fake: Any, tmp_path: Path
) -> None:
    def trial(cell: Cell) -> dict[str, Any]:
        skipped = None if cell.strategy == "p1" else '{"a.jpg": "empty"}'
        hashed = {"hashed_outputs": 8, "distinct_outputs": 8, "outputs_digest": cell.strategy}
        return ok(cell) | hashed | {"skipped_images": skipped}

    fake(trial)
    run("p1", "p2", repetitions=1)
    run("p2", "dynamic", repetitions=1)
    assert rows(tmp_path)["status"].tolist() == [OK, OK, FAILED]


def test_inapplicable_cell_has_one_row_however_often_requested(run: Any, tmp_path: Path) -> None:
    for _ in range(2):
        [result] = run("pq", workers=1, repetitions=3, rerun=True)
        assert result.seconds_per_task() == float("inf")
    assert list(rows(tmp_path)["status"]) == [NOT_APPLICABLE]


def test_cell_that_cannot_begin_is_one_failed_row_with_its_reason(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(preflight, "shortages", lambda *_: ["memory: too little"])
        run("p1", repetitions=3)
    [row] = rows(tmp_path).to_dict("records")
    assert row["status"] == FAILED
    assert row["error"] == "memory: too little; give less work or on_shortage=warn"


def test_sweep_whose_inputs_cannot_be_made_is_refused(run: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^cache_dir=/proc/none: "):
        run("p1", "p2", cache_dir="/proc/none")
    assert not list(tmp_path.rglob("*.parquet"))
