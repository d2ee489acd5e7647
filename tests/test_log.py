"""The log of a process, by a fake clock, and logs that come back from other machines delta by delta."""

import os
import resource
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from augment.strategies.engines.ray import LogDelta, boot_and_clock
from augment.task_log.layout import HEADER, SAMPLING_STEP, Note, Role, is_sampled
from augment.task_log.reader import headers, read
from augment.task_log.writer import BLOCK_TASKS, Counters, Log
from tests.helpers.fake_clock import FakeLog


@pytest.fixture
def log(tmp_path: Path) -> FakeLog:
    return FakeLog(tmp_path)


def test_laps_fill_the_stages(log: FakeLog) -> None:
    log.do_task((4, 5), read=2, transform=3)
    log.tick(1)
    process = log.read()
    header = process.header
    assert (header.role, header.opencv_threads, header.ready, header.ended) == (Role.WORKER, 1, 100, 106)
    assert header.unfinished_task is None
    columns = ["image_index", "augmentation_index", "start", "end", "read", "transform", "write"]
    assert process.tasks[columns].tolist() == [(4, 5, 100, 105, 2, 3, 0)]


def test_repeated_stage_is_summed(log: FakeLog) -> None:
    log.begin(0, 0)
    for stage in ("read", "transform", "read"):
        log.spend(stage, 1)
    log.end()
    assert log.read().tasks[["read", "transform"]].tolist() == [(2, 1)]


def test_stage_time_without_cpu_is_file_wait(log: FakeLog) -> None:
    for number, cpu_s in enumerate([None, 0.5, 3.0]):  # not asked; two clocks may differ a little
        log.begin(0, number)
        for stage in ("read", "write"):
            log.spend(stage, 2, cpu_s)
        log.end()
    columns = ["read", "write", "file_wait"]
    assert log.read().tasks[columns].tolist() == [(2, 2, 0), (2, 2, 3), (2, 2, 0)]


def test_header_names_the_unfinished_task(tmp_path: Path) -> None:
    log = FakeLog(tmp_path, Role.SAVER)
    log.do_task((0, 1))
    log.begin(2, 7)
    [header] = headers(tmp_path)  # as if the process had been killed here
    assert header.unfinished_task == (2, 7)
    assert header.ended == 0


def test_header_says_what_its_process_used(log: FakeLog) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    log.complete()
    after = resource.getrusage(resource.RUSAGE_SELF)
    [header] = headers(log.folder)
    assert 0 < before.ru_utime <= header.cpu_user_s <= after.ru_utime
    assert 0 < before.ru_stime <= header.cpu_system_s <= after.ru_stime
    assert header.peak_rss_bytes > 1_000_000


def test_headers_alone_are_read_from_logs_of_any_size(log: FakeLog) -> None:
    [path] = log.folder.glob("*.log")
    os.truncate(path, 1 << 42)
    assert [header.pid for header in headers(log.folder)] == [os.getpid()]


def test_log_without_recording_keeps_only_its_header(tmp_path: Path) -> None:
    log = FakeLog(tmp_path, recording=False)
    log.do_task((0, 0), read=1)
    process = log.read()
    assert len(process.tasks) == len(process.samples) == 0


def test_log_without_recording_keeps_notes_on_images(tmp_path: Path) -> None:
    log = FakeLog(tmp_path, recording=False)
    log.do_task((0, 0), read=1)
    log.note(1, "empty", is_bad=True)
    process = log.read()
    assert (len(process.tasks), process.notes) == (0, [Note(1, "empty", is_bad=True)])


def test_log_that_was_never_begun_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "1.log").touch()
    (tmp_path / "2.log").write_bytes(bytes(HEADER.size))
    assert read(tmp_path) == []
    assert headers(tmp_path) == []


def test_tasks_are_kept_in_order_over_the_blocks(log: FakeLog) -> None:
    for number in range(3 * BLOCK_TASKS + 1):
        log.do_task((number, 0))
    assert list(log.read().tasks["image_index"]) == list(range(3 * BLOCK_TASKS + 1))


def test_samples_know_their_task_and_their_name_over_the_blocks(log: FakeLog) -> None:
    applied = {
        0: ["Blur", "Flip"],
        BLOCK_TASKS - 1: [],
        BLOCK_TASKS: ["Größe", "Blur"],
        BLOCK_TASKS + 9: ["Flip"],
    }
    for number in range(BLOCK_TASKS + 10):
        log.begin(number, 0)
        for seconds, name in enumerate(applied.get(number, []), 1):
            log.apply(name, seconds)
        log.spend("transform", 1)
        log.end()
    process = log.read()
    samples = [
        (int(task), process.names[name], seconds)
        for task, name, seconds in process.samples[["task", "name", "seconds"]]
    ]
    assert samples == [
        (number, name, seconds) for number, names in applied.items() for seconds, name in enumerate(names, 1)
    ]


def test_samples_of_a_failed_task_belong_to_no_other(log: FakeLog) -> None:
    log.begin(0, 0)
    log.apply("Blur", 0)
    log.do_task((0, 1), transform=1)
    process = log.read()
    assert (len(process.tasks), len(process.samples)) == (1, 0)


def test_incomplete_block_is_left_out(log: FakeLog) -> None:
    for number in range(BLOCK_TASKS + 1):
        log.do_task((number, 0))
    [path] = log.folder.glob("*.log")
    whole = path.stat().st_size
    log.complete()
    path.write_bytes(path.read_bytes()[:whole] + bytes(100))  # room was made, and then it was killed
    [process] = read(log.folder)
    assert len(process.tasks) == BLOCK_TASKS


@given(some.integers(1, 40), some.integers(1, 10))
def test_one_task_in_sixteen_is_sampled_however_few_augmentations_an_image_has(
    n_augmentations: int, sixteens: int
) -> None:
    tasks = [(image, number) for image in range(16 * sixteens) for number in range(n_augmentations)]
    assert SAMPLING_STEP * sum(is_sampled(*task) for task in tasks) == len(tasks)


def test_weights_of_timed_tasks_sum_to_the_tasks(log: FakeLog) -> None:
    """The first task and the one after the long first are timed; of 33 that follow short ones two are."""
    timed = []
    for number, seconds in enumerate([1, *[0.001] * 33, 1]):
        log.begin(0, number)
        if log.timing:
            timed.append(number)
            log.apply("Blur", 0)
        log.spend("transform", seconds)
        log.end()
    process = log.read()
    assert timed == [0, 1, 16, 32]
    assert list(process.samples["task"]) == timed
    assert list(process.samples["weight"]) == [1, 1, 16.5, 16.5]


@pytest.fixture
def constant_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that show 6 seconds of user CPU and 5 faults whenever they are read."""
    monkeypatch.setattr(Counters, "used", lambda _: (6.0, 0.0, 5, 0.0))


@pytest.mark.usefixtures("constant_counters")
def test_short_tasks_share_counters_by_their_seconds_and_a_pause_belongs_to_none(log: FakeLog) -> None:
    for pause_s, seconds in [(1, 0.003), (0, 0.001), (0, 0.005), (0, 0.001), (1, 0.002)]:
        log.tick(pause_s)
        log.do_task((0, 0), transform=seconds)
    tasks = log.read().tasks
    shared = [6, 6 / 6, 30 / 6]  # the first, after a pause, by itself; then two that are over 5 ms together
    assert list(tasks["cpu_user_s"]) == pytest.approx([*shared, 6 / 6, 6]), "the fourth at the rate before it"
    assert list(tasks["minor_faults"]) == [5, 1, 4, 1, 5]


@pytest.mark.usefixtures("constant_counters")
def test_tasks_before_any_reading_of_the_counters_have_used_nothing(log: FakeLog) -> None:
    """A reading is made after the first task, but as that took no time it says nothing about rates."""
    log.do_task((0, 0))
    log.do_task((0, 1), transform=0.001)
    log.tick(1)
    log.do_task((0, 2), transform=1)
    assert log.read().tasks[["cpu_user_s", "minor_faults"]].tolist() == [(0, 0), (0, 0), (6, 5)]


def test_log_of_a_thread_counts_only_its_cpu(tmp_path: Path) -> None:
    """Beside another one that burns as much."""

    def burn_until(end_s: float) -> None:
        while time.thread_time() < end_s:
            pass

    def work() -> None:
        log = Log(tmp_path, Role.WORKER, opencv_threads=1)
        log.begin(0, 0)
        burn_until(0.1)
        log.lap(1)
        log.end()
        log.complete()

    threads = [Thread(target=work), Thread(target=burn_until, args=(0.1,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [process] = read(tmp_path)
    assert process.header.pid == os.getpid() != process.header.thread
    assert process.header.cpu_user_s + process.header.cpu_system_s == pytest.approx(0.1, abs=0.05)
    [(user_s, system_s)] = process.tasks[["cpu_user_s", "cpu_system_s"]]
    assert user_s + system_s == pytest.approx(0.1, abs=0.05)


@pytest.fixture
def there(tmp_path: Path) -> FakeLog:
    """Return a log that lies in another folder than the copy of its deltas in `here`."""
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    return FakeLog(tmp_path / "there")


def test_deltas_make_the_log_that_their_process_has(there: FakeLog, tmp_path: Path) -> None:
    for number in range(4):
        there.do_task((number, 0), read=1, transform=2)
        if number != 1:
            LogDelta("node/1", *boot_and_clock(), *there.drain()).append_to(tmp_path / "here")
    [original], [copy] = read(tmp_path / "there"), read(tmp_path / "here")
    assert copy.tasks.tolist() == original.tasks.tolist()
    assert copy.header == original.header._replace(node=b"node/1")


@pytest.mark.parametrize(
    ("other", "shift_s"), [({"boot": "another"}, 50), ({}, 0)], ids=["another machine", "time of day was set"]
)
def test_times_of_another_machine_are_shifted_and_those_of_this_one_are_kept(
    other: dict[str, Any], shift_s: float, there: FakeLog, tmp_path: Path
) -> None:
    there.do_task((0, 0), read=1)
    delta = LogDelta("node/1", *boot_and_clock(), *there.drain())
    delta._replace(clock_ahead_s=delta.clock_ahead_s - 50, **other).append_to(tmp_path / "here")
    [process] = read(tmp_path / "here")
    assert process.header.shift_s == pytest.approx(shift_s, abs=0.1 if other else 0)
    [(start_s, read_s)] = process.tasks[["start", "read"]].tolist()
    assert (start_s, read_s) == (pytest.approx(100 + shift_s, abs=0.1), 1)
