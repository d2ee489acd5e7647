"""What is planted, how much of it, and the confusion matrix of what was found."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from augment import image_io, task_runner
from augment.runtime import Allocator
from experiments import ROOT
from experiments.analysis.verdict import CAUSES as NAMED
from experiments.analysis.verdict import LOSS, NOT_DECIDED, NOTHING_TO_GAIN
from experiments.calibration import __main__ as calibration
from experiments.calibration import dosing, loads, slow_strategies
from experiments.calibration.cases import CAUSES, DECOYS, NOTHING, SINGLE, Try, lacking, planned
from experiments.calibration.confusion import asked, judged, table
from experiments.calibration.cpu_shortage import surroundings
from experiments.report.tables import Table
from tests.helpers.commands import interpreter


@pytest.mark.parametrize("level", [0.05, 0.2, 0.4])
def test_a_load_takes_its_share_of_a_task(level: float) -> None:
    seconds = dosing.load_s({"waits": level})
    assert seconds["waits"] / (seconds["waits"] + seconds["computing"]) == pytest.approx(level)


def test_two_loads_take_their_share_each() -> None:
    seconds = dosing.load_s({"waits": 0.2, "storage": 0.2})
    assert seconds["waits"] == seconds["storage"] == pytest.approx(0.2 * sum(seconds.values()))


@pytest.mark.parametrize("level", [0.05, 0.2, 0.4])
def test_workers_that_fill_memory_lose_the_level_to_each_other(level: float) -> None:
    slowdown = 2.5
    alone = dosing.load_s({"memory": level}, slowdown)
    filling = dosing.filling_share(level, slowdown)
    beside_s = alone["memory"] * (1 + (slowdown - 1) * filling)
    assert beside_s / (beside_s + alone["computing"]) == pytest.approx(filling)
    assert (beside_s - alone["memory"]) / (beside_s + alone["computing"]) == pytest.approx(level)


def test_fillers_fill_what_they_should_in_the_mean() -> None:
    sizes = [next(loads._sizes(1)) for _ in range(60)]
    assert sum(sizes) / 60 == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("slowdown", [0.9, 1.0, 1.1])
def test_memory_that_is_too_fast_fails_the_try(slowdown: float) -> None:
    with pytest.raises(dosing.TryFailedError, match="slow each other down by"):
        dosing.filling_share(0.4, slowdown)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.4])
def test_the_worker_with_the_smaller_chunk_idles_for_the_level(level: float) -> None:
    largest = dosing.chunk({"load imbalance": level}) or 0
    idle = 2 * largest - dosing.N_TASKS
    assert idle / (2 * largest) == pytest.approx(level, abs=0.01)


def test_a_start_and_a_chunk_take_their_share_each() -> None:
    levels = {"start-up": 0.2, "load imbalance": 0.2}
    strategy = dosing.strategy(levels)
    assert isinstance(strategy, slow_strategies.SlowStart)
    trial_s = strategy.start_s + (strategy.chunk or 0) * dosing.BASE_S
    assert strategy.start_s / trial_s == pytest.approx(0.2, abs=0.01)
    idle_s = (2 * (strategy.chunk or 0) - dosing.N_TASKS) * dosing.BASE_S
    assert idle_s / (2 * trial_s) == pytest.approx(0.2, abs=0.01)


def test_workers_wait_for_their_tasks_for_the_level() -> None:
    strategy = dosing.strategy({"transfer": 0.2})
    assert isinstance(strategy, slow_strategies.SlowHandOut)
    assert 1 - dosing.BASE_S / (2 * strategy.hand_out_s) == pytest.approx(0.2)


FAULTS_OF_TEN = """
import ctypes, resource
from experiments.calibration import loads
ctypes.CDLL(None).mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD: malloc keeps no array that is dropped
loads.touch_pages(1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    loads.touch_pages(1000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_pages_that_are_touched_are_faults_each_time() -> None:
    done = interpreter("-c", FAULTS_OF_TEN, cwd=ROOT)
    assert int(done.stdout) == pytest.approx(10_000, rel=0.05)


def test_every_output_is_synced_once_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(task_runner, "write", image_io.write)
    for _ in range(2):  # every task plants it again
        loads.LOADS["storage"](3)
    task_runner.write(tmp_path, "a.png", np.zeros(10, np.uint8))  # type: ignore[attr-defined]
    assert len(synced) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("threads", "helpers"), [(4, 3), (1, 0)])
def test_there_are_helpers_as_far_as_opencv_has_threads(
    threads: int, helpers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[Any] = []
    monkeypatch.setattr(cv2, "getNumThreads", lambda: threads)
    monkeypatch.setattr(loads._helpers(), "submit", lambda *work: submitted.append(work))
    loads.LOADS["threads"](1000)
    assert len(submitted) == helpers


def test_an_ablation_is_what_its_file_says(tmp_path: Path) -> None:
    [untouched, allocator, one_task] = dosing.cells({"start-up": 0.1}, False, tmp_path, 1)[:3]
    assert allocator.config.runtime.allocator is Allocator.retain
    assert isinstance(one_task.config.strategy, slow_strategies.SlowStart)
    assert one_task.config.strategy.chunk == 1
    assert (untouched.ablation, allocator.ablation, one_task.ablation) == ("none", "allocator", "chunk_1")


def test_nothing_is_left_of_a_quota() -> None:
    own = Path("/proc/self/cgroup").read_text()
    try:
        with surroundings("CPU quota", 0.2, workers=2):
            assert Path("/proc/self/cgroup").read_text() != own
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    assert Path("/proc/self/cgroup").read_text() == own


def test_single_causes_are_those_that_the_verdict_names() -> None:
    assert {*SINGLE} <= {*NAMED}


def test_a_stopped_run_goes_on_where_it_was() -> None:
    wanted = planned(times=5)
    assert wanted == planned(times=5)
    assert lacking(wanted, wanted[:40]) == wanted[40:]
    assert lacking(wanted, []) == wanted
    assert {each.cause for each in wanted} == {*CAUSES}
    assert [wanted.count(Try("waits", level)) for level in (0.05, 0.1, 0.2, 0.4)] == [2, 2, 5, 5]
    assert planned(1, [NOTHING]) == [Try(NOTHING, 0.0)] * 2


def tries(*rows: tuple[str, float, str, str, str]) -> pd.DataFrame:
    """Cause, level, verdict, suspected, proved."""
    return pd.DataFrame(rows, columns=["cause", "level", "verdict", "suspected", "proved"])


TRIES = tries(
    ("waits", 0.2, LOSS, "waits", ""),
    ("waits", 0.2, LOSS, "start-up, waits", ""),
    ("waits", 0.05, NOT_DECIDED, "", ""),
    ("storage + page faults", 0.2, LOSS, "storage", "page faults, load imbalance"),
    ("system calls", 0.2, LOSS, "waits", ""),
    ("CPU quota", 0.2, NOT_DECIDED, "waits, storage", ""),
    (NOTHING, 0.0, NOTHING_TO_GAIN, "waits", ""),
    (NOTHING, 0.0, LOSS, "", ""),
)


def test_what_is_proved_comes_before_what_is_suspected() -> None:
    found = judged(TRIES)
    assert found["first"].tolist() == [
        *("waits", "start-up", "none", "page faults", "waits", "waits", "waits", "none")
    ]
    assert found["right"].tolist() == [True, False, False, True, True, False, True, False]
    assert found["wrongly"].tolist() == [False, False, False, True, False, False, False, False]


def rows(shown: Table) -> list[dict[str, str]]:
    return [dict(zip(shown.columns, row, strict=True)) for row in shown.rows]


def test_the_confusion_matrix_has_a_row_per_cause_and_level() -> None:
    shown = rows(table(TRIES))
    assert [(row["cause"], row["level"]) for row in shown] == [
        ("waits", "5 %"),
        ("waits", "20 %"),
        ("storage + page faults", "20 %"),
        ("system calls", "20 %"),
        ("CPU quota", "20 %"),
        (NOTHING, "0 %"),
    ]
    assert shown[1] | {"waits": "1", "start-up": "1", "none": "0", "right": "50 % (1–99)"} == shown[1]
    assert [row["proved wrongly"] for row in shown] == ["0", "0", "1", "0", "0", "0"]


def test_what_is_asked_holds_or_not() -> None:
    assert [*asked(judged(TRIES)).values()] == [False, False, False, False]
    good = judged(TRIES.iloc[[0, 2, 4, 6]])
    assert [*asked(good).values()] == [True, True, True, True]
    assert "100 %, of waits" in [*asked(good)][1]


def test_what_was_not_tried_is_not_asked() -> None:
    assert [note.partition(":")[0] for note in table(TRIES.iloc[[6]]).notes] == ["Yes", "Yes"]
    assert [note.partition(":")[0] for note in table(TRIES.iloc[[7]]).notes] == ["Yes", "No"]


@pytest.mark.slow
def test_a_try_is_kept_and_counts_the_next_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--results", str(tmp_path), "--times", "1", "--rounds", "1", "--only", DECOYS[0]]
    for _ in range(2):
        assert calibration.main(words) in (0, 1)
        assert DECOYS[0] in capsys.readouterr().out
    kept = calibration.known(tmp_path / "calibration" / "tries.csv")
    assert kept["cause"].tolist() == [DECOYS[0]]
    assert {path.name for path in (tmp_path / "calibration").iterdir()} == {
        *("tries.csv", "table.txt", "table.md", "table.csv")
    }
