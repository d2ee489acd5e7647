"""The program that plants causes: doses, cases, the confusion matrix."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest

from augment import images, task_runner
from augment.pipeline import transformer
from augment.runtime import Allocator
from experiments import ROOT
from experiments.analysis.causes import NAMED
from experiments.analysis.verdict import LOSS, NOT_DECIDED, NOTHING_TO_GAIN
from experiments.calibration import __main__ as calibration
from experiments.calibration import dosing, loads, slow_strategies
from experiments.calibration.cases import (
    CAUSES,
    DECOYS,
    FOREIGN,
    NOTHING,
    SINGLE,
    Case,
    missing_cases,
    plan_cases,
)
from experiments.calibration.confusion import confusion_table, judge, requirements
from experiments.calibration.cpu_shortage import cpu_shortage
from tests.helpers.commands import interpreter, wait_until

some_levels = pytest.mark.parametrize("level", [0.05, 0.2, 0.4])


@some_levels
def test_loads_take_their_share_of_a_task(level: float) -> None:
    one, two = dosing.load_s({"waits": level}), dosing.load_s({"waits": level, "storage": 0.2})
    assert one["waits"] / sum(one.values()) == pytest.approx(level)
    assert two["waits"] / sum(two.values()) == pytest.approx(level)
    assert two["storage"] / sum(two.values()) == pytest.approx(0.2)


@some_levels
def test_workers_that_fill_memory_lose_the_level_to_each_other(level: float) -> None:
    slowdown = 2.5
    alone = dosing.load_s({"memory": level}, slowdown)
    filling = dosing.filling_share(level, slowdown)
    beside_s = alone["memory"] * (1 + (slowdown - 1) * filling)
    assert beside_s / (beside_s + alone["computing"]) == pytest.approx(filling)
    assert (beside_s - alone["memory"]) / (beside_s + alone["computing"]) == pytest.approx(level)


def test_varied_fillings_have_the_right_mean() -> None:
    sizes = [next(loads._sizes(1)) for _ in range(60)]
    assert sum(sizes) / 60 == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("slowdown", [0.9, 1.0, 1.1])
def test_case_fails_if_memory_is_too_fast(slowdown: float) -> None:
    with pytest.raises(dosing.CaseFailedError, match=f"{slowdown:.2f} times only"):
        dosing.filling_share(0.4, slowdown)


@some_levels
@pytest.mark.parametrize("start", [0.0, 0.2])
def test_smaller_chunk_and_slow_start_take_their_share(start: float, level: float) -> None:
    levels = {"load imbalance": level} | ({"start-up": start} if start else {})
    strategy = dosing.dosed_strategy(levels)
    largest = strategy.chunksize or 0
    start_s = strategy.start_s if isinstance(strategy, slow_strategies.SlowStart) else 0.0
    trial_s = start_s + largest * dosing.TASK_CPU_S
    idle_s = (2 * largest - dosing.N_TASKS) * dosing.TASK_CPU_S
    assert start_s / trial_s == pytest.approx(start, abs=0.01)
    assert idle_s / (2 * trial_s) == pytest.approx(level, abs=0.01)


def test_workers_wait_for_their_tasks_for_the_level() -> None:
    strategy = dosing.dosed_strategy({"transfer": 0.2})
    assert isinstance(strategy, slow_strategies.SlowHandOut)
    assert 1 - dosing.TASK_CPU_S / (2 * strategy.hand_out_s) == pytest.approx(0.2)


COUNT_FAULTS_OF_TEN_LOADS = """
import ctypes, resource
from experiments.calibration import loads
ctypes.CDLL(None).mallopt(-3, 1 << 20)  # M_MMAP_THRESHOLD: malloc keeps no array that is dropped
loads.touch_pages(1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    loads.touch_pages(1000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_touched_pages_are_faults_each_time() -> None:
    completed = interpreter("-c", COUNT_FAULTS_OF_TEN_LOADS, cwd=ROOT)
    assert int(completed.stdout) == pytest.approx(10_000, rel=0.05)


def test_every_output_is_synced_once_after_storage_is_planted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(task_runner, "write", images.write)
    for _ in range(2):  # every task plants it again
        loads.LOADS["storage"](3)
    task_runner.write(tmp_path, "a.png", np.zeros(10, np.uint8))  # type: ignore[attr-defined]
    assert len(synced) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(("threads", "helpers"), [(4, 3), (1, 0)])
def test_helpers_are_one_fewer_than_threads_of_opencv(
    threads: int, helpers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[Any] = []
    monkeypatch.setattr(cv2, "getNumThreads", lambda: threads)
    monkeypatch.setattr(loads._helpers(), "submit", lambda *work: submitted.append(work))
    loads.LOADS["threads"](1000)
    assert len(submitted) == helpers


def test_ablated_cell_has_the_options_of_its_file(tmp_path: Path) -> None:
    [plain, allocator, one_task] = dosing.dosed_cells({"start-up": 0.1}, False, tmp_path, 1)[:3]
    assert allocator.config.runtime.allocator is Allocator.retain
    assert isinstance(one_task.config.strategy, slow_strategies.SlowStart)
    assert one_task.config.strategy.chunksize == 1
    assert (plain.ablation, allocator.ablation, one_task.ablation) == ("none", "allocator", "chunksize_1")


def test_rounds_with_transfer_planted_hold_the_strategy_that_sends_nothing(tmp_path: Path) -> None:
    cells = dosing.dosed_cells({"transfer": 0.1}, False, tmp_path, 1)
    assert (cells[0].config.strategy.sends_pixels, cells[0].strategy) == (True, "p1")
    assert [(cell.strategy, cell.ablation) for cell in cells if cell.ablation == "none"] == [
        ("p1", "none"),
        ("p2", "none"),
    ]


@pytest.mark.parametrize("name", FOREIGN)
def test_pipelines_of_users_are_deterministic_callables(name: str, tmp_path: Path) -> None:
    [case] = set(plan_cases(1, [name]))
    assert case.planted <= {*SINGLE}
    assert case.levels == {}  # nothing of the suite is dosed
    [plain, *_] = dosing.dosed_cells(case.levels, case.saving, tmp_path, 1, case.pipeline)
    augment, image = transformer(plain.config.pipeline, is_reused=False), np.zeros((30, 40, 3), np.uint8)
    assert np.array_equal(augment(1, image), augment(1, image))


def test_cpu_quota_ends_with_its_context() -> None:
    before = Path("/proc/self/cgroup").read_text()
    try:
        with cpu_shortage("CPU quota", 0.2, workers=2):
            assert Path("/proc/self/cgroup").read_text() != before
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    assert Path("/proc/self/cgroup").read_text() == before


def test_verdict_can_name_every_single_cause() -> None:
    assert {*SINGLE} <= {*NAMED}


def test_stopped_run_resumes_with_the_missing_cases() -> None:
    wanted = plan_cases(times=5)
    assert wanted == plan_cases(times=5)
    assert missing_cases(wanted, wanted[:40]) == wanted[40:]
    assert missing_cases(wanted, []) == wanted
    assert {case.cause for case in wanted} == {*CAUSES}
    assert [wanted.count(Case("waits", level)) for level in (0.05, 0.1, 0.2, 0.4)] == [2, 2, 5, 5]
    assert plan_cases(1, [NOTHING]) == [Case(NOTHING, 0.0)] * 2


MEASURED = pd.DataFrame(
    [
        ("waits", 0.2, LOSS, "waits", ""),
        ("waits", 0.2, LOSS, "start-up, waits", ""),
        ("waits", 0.05, NOT_DECIDED, "", ""),
        ("storage + system CPU", 0.2, LOSS, "storage", "system CPU, load imbalance"),
        ("system calls", 0.2, LOSS, "waits", ""),
        ("CPU quota", 0.2, NOT_DECIDED, "waits, storage", ""),
        (NOTHING, 0.0, NOTHING_TO_GAIN, "waits", ""),
        (NOTHING, 0.0, LOSS, "", ""),
    ],
    columns=["cause", "level", "verdict", "suspected", "proved"],
)


def test_proved_causes_come_before_suspected_ones() -> None:
    judged = judge(MEASURED)
    first = ["waits", "start-up", "none", "system CPU", "waits", "waits", "waits", "none"]
    assert judged["first"].tolist() == first
    assert judged["right"].tolist() == [True, False, False, True, True, False, True, False]
    assert judged["wrongly"].tolist() == [False, False, False, True, False, False, False, False]


def test_confusion_matrix_has_a_row_per_cause_and_level() -> None:
    table = confusion_table(MEASURED)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["cause"], row["level"]) for row in rows] == [
        ("waits", "5 %"),
        ("waits", "20 %"),
        ("storage + system CPU", "20 %"),
        ("system calls", "20 %"),
        ("CPU quota", "20 %"),
        (NOTHING, "0 %"),
    ]
    assert rows[1] | {"waits": "1", "start-up": "1", "none": "0", "right": "50.0 % (1.26–98.7)"} == rows[1]
    assert [row["proved wrongly"] for row in rows] == ["0", "0", "1", "0", "0", "0"]


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        (range(8), [False, False, False, False]),
        ([0, 2, 4, 6], [True, True, True, True]),
        ([6], [True, True]),  # only those on wrongly proved causes and on nothing
        ([7], [True, False]),
    ],
)
def test_requirements_hold_or_not_for_the_measured_cases(rows: list[int], held: list[bool]) -> None:
    assert [*requirements(judge(MEASURED.iloc[rows])).values()] == held


@pytest.mark.slow
def test_measured_case_is_kept_for_the_next_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--results", str(tmp_path), "--times", "1", "--rounds", "1", "--only", DECOYS[0]]
    for _ in range(2):
        assert calibration.main(words) in (0, 1)
        assert DECOYS[0] in capsys.readouterr().out
    kept = calibration.read_cases(tmp_path / "calibration" / "cases.csv")
    assert kept["cause"].tolist() == [DECOYS[0]]
    assert {path.name for path in (tmp_path / "calibration").iterdir()} == {
        *("cases.csv", "table.md", "table.csv")
    }


def test_outside_load_ends_with_a_calibration_that_is_killed() -> None:
    begin = "import os, psutil; from experiments.calibration.cpu_shortage import cpu_shortage"
    load = (
        "load = cpu_shortage('outside load', 0.2, 2); load.__enter__(); [child] = psutil.Process().children()"
    )
    ended = interpreter(
        "-c", f"{begin}; {load}; print(child.pid, flush=True); os.kill(os.getpid(), 9)", cwd=ROOT
    )
    pid = int(ended.stdout)
    wait_until(lambda: not psutil.pid_exists(pid))
    assert not psutil.pid_exists(pid)
