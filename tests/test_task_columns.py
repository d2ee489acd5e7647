"""From logs to Arrow: a row for each task, with a saver's part joined to its worker's."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from augment.recording.counters import peak_rss_bytes
from augment.recording.log import READING, STAGES, Role
from augment.recording.log_reader import read
from augment.strategies.instruments.neighbours import NEIGHBOURS
from experiments.measure.supervisor import Outcome
from experiments.measure.task_columns import tables, task_table, transform_table, turn_table
from experiments.measure.trial import Result
from experiments.records import store
from tests.helpers.fake_clock import HandClock, do_task, leave, ready_log
from tests.helpers.trial_rows import trial


@pytest.fixture
def queued(tmp_path: Path) -> Path:
    """Logs of P_Q: a master, then a worker with two tasks, a saver of both, and a worker with one more,
    which nothing saved."""
    clock = HandClock()
    for name, role, tasks in (
        ("master", Role.MASTER, {(0, READING): {"read": 5}}),
        ("worker", Role.WORKER, {(3, 1): {"transform": 2, "send": 1}, (0, 2): {"transform": 4}}),
        ("saver", Role.SAVER, {(0, 2): {"encode": 1, "write": 2}, (3, 1): {"encode": 3}}),
        ("other", Role.WORKER, {(1, 0): {"transform": 1}}),
    ):
        log = ready_log(tmp_path, clock, role)
        for task, stages_s in tasks.items():
            do_task(log, clock, task, **stages_s)
        clock.tick(10)
        leave(log, tmp_path, name)
    return tmp_path


def test_a_savers_part_is_joined_to_its_workers(queued: Path) -> None:
    """The worker works from 15 to 22 after the master's begin, the saver from 32 to 38, the other from 48."""
    rows = task_table(read(queued), begin=100, trial_id="t1", saving=True).to_pylist()
    assert [row["trial_id"] for row in rows] == ["t1"] * 3
    names = ("image_index", "augmentation_index", "worker", "saver", "start_s", "save_start_s", "end_s")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (3, 1, 0, 1, 15, 35, 38),
        (0, 2, 0, 1, 18, 32, 35),
        (1, 0, 2, 2, 48, None, 49),
    ]
    stages = ("read_s", "transform_s", "send_s", "encode_s", "write_s")
    assert [tuple(row[name] for name in stages) for row in rows] == [
        (0, 2, 1, 3, 0),
        (0, 4, 0, 1, 2),
        (0, 1, 0, 0, 0),
    ]


def test_a_task_has_waited_for_files_in_its_worker_and_in_its_saver(queued: Path) -> None:
    logs = read(queued)
    for log in logs:
        log.tasks["file_wait"] = 10 if log.header.role is Role.SAVER else 1
    table = task_table(logs, begin=100, trial_id="t1", saving=True)
    assert table["file_wait_s"].to_pylist() == [11, 11, 1]


def test_counters_are_of_both_and_the_savers_part_stands_beside(queued: Path) -> None:
    logs = read(queued)
    for log in logs:
        log.tasks["faults"] = 10 if log.header.role is Role.SAVER else 1
    table = task_table(logs, begin=100, trial_id="t1", saving=True)
    assert table["minor_faults"].to_pylist() == [11, 11, 1]
    assert table["saver_minor_faults"].to_pylist() == [10, 10, None]


def test_without_saving_nothing_has_a_saver(queued: Path) -> None:
    logs = [log for log in read(queued) if log.header.role is not Role.SAVER]
    table = task_table(logs, begin=100, trial_id="t1", saving=False)
    assert table["saver"].to_pylist() == [None] * 3
    assert table["worker"].to_pylist() == [0, 0, 1]


def test_a_row_for_each_timed_transform(tmp_path: Path) -> None:
    clock = HandClock()
    log = ready_log(tmp_path, clock)
    log.begin(2, 5)
    for name, seconds in (("Blur", 2), ("Flip", 1), ("Blur", 3)):
        clock.tick(seconds)
        log.transformed(name, begin=clock.now - seconds)
    log.end()
    log.leave()
    assert transform_table(read(tmp_path), "t1").to_pylist() == [
        {
            "trial_id": "t1",
            "image_index": 2,
            "augmentation_index": 5,
            "transform": name,
            "seconds": seconds,
            "weight": 1,
        }
        for name, seconds in (("Blur", 2), ("Flip", 1), ("Blur", 3))
    ]


def test_a_turn_is_the_tasks_from_its_first_to_that_of_the_next(tmp_path: Path) -> None:
    """A task to warm up, a turn of two tasks beside the first neighbours, one of one beside the second."""
    clock = HandClock()
    log = ready_log(tmp_path, clock)
    do_task(log, clock, (0, 0), transform=9)
    log.begin_turn(2, NEIGHBOURS[0])
    do_task(log, clock, (0, 3), read=1, transform=2)
    log.begin(1, 1)
    for seconds in (2, 3):
        clock.tick(seconds)
        log.transformed("Blur", begin=clock.now - seconds)
    log.lap(STAGES.index("transform"))
    log.end()
    log.begin_turn(2, NEIGHBOURS[1])
    do_task(log, clock, (0, 3), transform=4, write=3)
    log.leave()
    logs = read(tmp_path)
    logs[0].tasks["user"] = 1
    rows = turn_table(logs, "t1").to_pylist()
    names = ("round", "neighbour", "transform", "wall_s", "cpu_user_s")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (2, NEIGHBOURS[0], None, 8, 2),
        (2, NEIGHBOURS[1], None, 7, 1),
        (2, NEIGHBOURS[0], "Blur", 5, None),
    ]


def test_without_recorded_tasks_there_are_no_turns(tmp_path: Path) -> None:
    ready_log(tmp_path, HandClock()).leave()
    assert len(turn_table(read(tmp_path), "t1")) == 0


def write_logs(folder: Path, n_tasks: int) -> None:
    """Write the logs of two workers that share the tasks and time three transforms of each."""
    for first in (0, 1):
        clock = HandClock()
        log = ready_log(folder, clock)
        for task in range(first, n_tasks, 2):
            log.begin(*divmod(task, 100))
            clock.tick(0.01)  # long enough for the transforms of every task to be timed
            for name in ("Blur", "Flip", "Noise"):
                log.transformed(name, begin=clock.now - 0.003)
            log.lap(STAGES.index("transform"))
            log.end()
        leave(log, folder, f"worker-{first}")


def peak_bytes_of_storing(folder: Path) -> int:
    """Store a trial from its logs, as a sweep does; return the peak memory of this process."""
    row, result = trial("p2", 2, 1.0), Result(100, 1.0, 1.0, 0.0, 0.0, 0, "fork", 1, {})
    outcome = Outcome(result, None, read(folder))
    store.write(folder / "results", "p2", row, tables(outcome, row["trial_id"], saving=True))
    return peak_rss_bytes()


@pytest.mark.parametrize(
    ("n_tasks", "most_bytes"), [(20_000, 3e8), pytest.param(1_000_000, 1e9, marks=pytest.mark.slow)]
)
def test_a_trial_of_many_tasks_is_stored_whole_and_in_little_memory(
    n_tasks: int, most_bytes: float, tmp_path: Path
) -> None:
    write_logs(tmp_path, n_tasks)
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        assert fresh.submit(peak_bytes_of_storing, tmp_path).result() < most_bytes
    folders = (tmp_path / "results" / table / "strong_scaling" for table in ("tasks", "transforms"))
    tasks, transforms = (pq.read_table(folder) for folder in folders)
    assert (len(tasks), len(transforms)) == (n_tasks, 3 * n_tasks)
    assert set(tasks["worker"].unique().to_pylist()) == {0, 1}
