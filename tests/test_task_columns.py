"""From logs to Arrow: a row for each task, with a saver's part joined to its worker's."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from augment.strategies.instruments.interference import NEIGHBOURS
from augment.task_log.layout import READING, Role
from augment.task_log.reader import read
from augment.task_log.writer import peak_rss_bytes
from experiments.store import files as store
from experiments.trial.supervisor import Outcome
from experiments.trial.tables import detail_tables, task_table, transform_table, turn_table
from tests.helpers.fake_clock import FakeClock, FakeLog
from tests.helpers.trial_rows import trial


@pytest.fixture
def queued(tmp_path: Path) -> Path:
    """Write logs of P_Q: a master, a worker of two tasks, their saver, and a worker of one unsaved task."""
    clock = FakeClock()
    for name, role, tasks in (
        ("master", Role.MASTER, {(0, READING): {"read": 5}}),
        ("worker", Role.WORKER, {(3, 1): {"transform": 2, "send": 1}, (0, 2): {"transform": 4}}),
        ("saver", Role.SAVER, {(0, 2): {"encode": 1, "write": 2}, (3, 1): {"encode": 3}}),
        ("other", Role.WORKER, {(1, 0): {"transform": 1}}),
    ):
        log = FakeLog(tmp_path, role, clock=clock)
        for task, stages_s in tasks.items():
            log.do_task(task, **stages_s)
        log.tick(10)
        log.leave_as(name)
    return tmp_path


def test_part_of_a_saver_is_joined_to_its_worker(queued: Path) -> None:
    """The worker works from 15 to 22 after the master's begin, the saver from 32 to 38, the other from 48."""
    rows = task_table(read(queued), begin=100, trial_id="t1", saving=True).to_pylist()
    assert [row["trial_id"] for row in rows] == ["t1"] * 3
    names = "image_index augmentation_index process saving_process start_s save_start_s end_s"
    assert [tuple(row[name] for name in names.split()) for row in rows] == [
        (3, 1, 0, 1, 15, 35, 38),
        (0, 2, 0, 1, 18, 32, 35),
        (1, 0, 2, 2, 48, None, 49),
    ]
    stages = ("read_s", "transform_s", "send_s", "encode_s", "write_s")
    spent = [tuple(row[name] for name in stages) for row in rows]
    assert spent == [(0, 2, 1, 3, 0), (0, 4, 0, 1, 2), (0, 1, 0, 0, 0)]


def test_counters_are_sums_of_worker_and_saver(queued: Path) -> None:
    logs = read(queued)
    for log in logs:
        log.tasks["file_wait"] = log.tasks["minor_faults"] = 10 if log.header.role is Role.SAVER else 1
    table = task_table(logs, begin=100, trial_id="t1", saving=True)
    assert table["file_wait_s"].to_pylist() == table["minor_faults"].to_pylist() == [11, 11, 1]


def test_tasks_have_no_saver_if_nothing_is_saved(queued: Path) -> None:
    logs = [log for log in read(queued) if log.header.role is not Role.SAVER]
    table = task_table(logs, begin=100, trial_id="t1", saving=False)
    assert table["saving_process"].to_pylist() == [None] * 3
    assert table["process"].to_pylist() == [0, 0, 1]


def test_timed_transforms_have_a_row_each(tmp_path: Path) -> None:
    log = FakeLog(tmp_path)
    log.begin(2, 5)
    applied = [("Blur", 2), ("Flip", 1), ("Blur", 3)]
    for name, seconds in applied:
        log.apply(name, seconds)
    log.end()
    rows = transform_table([log.read()], "t1").to_pylist()
    assert [(row["transform"], row["seconds"]) for row in rows] == applied
    own = {"trial_id": "t1", "image_index": 2, "augmentation_index": 5, "weight": 1}
    assert all(row.items() >= own.items() for row in rows)


def test_turn_holds_the_tasks_up_to_the_next_turn(tmp_path: Path) -> None:
    """A task to warm up, a turn of two tasks beside the first neighbours, one of one beside the second."""
    log = FakeLog(tmp_path)
    log.do_task((0, 0), transform=9)
    log.begin_turn(2, NEIGHBOURS[0])
    log.do_task((0, 3), read=1, transform=2)
    log.do_task((1, 1), transform=5)
    log.begin_turn(2, NEIGHBOURS[1])
    log.do_task((0, 3), transform=4, write=3)
    process = log.read()
    process.tasks["cpu_user_s"] = 1
    rows = turn_table([process], "t1").to_pylist()
    names = ("round", "neighbour", "wall_s", "cpu_user_s")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (2, NEIGHBOURS[0], 8, 2),
        (2, NEIGHBOURS[1], 7, 1),
    ]


def test_log_without_tasks_has_no_turns(tmp_path: Path) -> None:
    assert len(turn_table([FakeLog(tmp_path).read()], "t1")) == 0


def write_logs(folder: Path, n_tasks: int) -> None:
    """Write the logs of two workers that share the tasks and time three transforms of each."""
    for first in (0, 1):
        log = FakeLog(folder)
        for task in range(first, n_tasks, 2):
            log.begin(*divmod(task, 100))
            for name in ("Blur", "Flip", "Noise"):
                log.apply(name, 0.003)  # long enough for the transforms of every task to be timed
            log.spend("transform", 0.001)
            log.end()
        log.leave_as(f"worker-{first}")


def peak_bytes_of_storing(folder: Path) -> int:
    """Store a trial from its logs, as a sweep does; return the peak memory of this process."""
    row, outcome = trial("p2", 2, 1.0), Outcome(read(folder), begin=100)
    tables = detail_tables(outcome, row["trial_id"], saving=True, complete=True)
    store.write(folder / "results", "p2", row, tables)
    return peak_rss_bytes()


@pytest.mark.parametrize(
    ("n_tasks", "most_bytes"), [(20_000, 3e8), pytest.param(1_000_000, 1e9, marks=pytest.mark.slow)]
)
def test_trial_of_many_tasks_is_stored_whole_and_in_little_memory(
    n_tasks: int, most_bytes: float, tmp_path: Path
) -> None:
    write_logs(tmp_path, n_tasks)
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        assert fresh.submit(peak_bytes_of_storing, tmp_path).result() < most_bytes
    folders = (tmp_path / "results" / table / "strong_scaling" for table in ("tasks", "transforms"))
    tasks, transforms = (pq.read_table(folder) for folder in folders)
    assert (len(tasks), len(transforms)) == (n_tasks, 3 * n_tasks)
    assert set(tasks["process"].unique().to_pylist()) == {0, 1}
