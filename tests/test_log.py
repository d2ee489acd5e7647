"""A process's log, its clock ticked by hand."""

from pathlib import Path

import pytest

from augment.recording.counters import Counters
from augment.recording.log import KEPT, SAMPLED, STAGES, Log, Role
from augment.recording.log_reader import read


class HandClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def test_laps_fill_the_stages(tmp_path: Path) -> None:
    clock = HandClock()
    log = Log(tmp_path, Role.WORKER, clock=clock)
    log.ready(opencv_threads=1, os_threads=3)
    log.begin(4, 5)
    clock.tick(2)
    log.lap(STAGES.index("read"))
    clock.tick(3)
    log.lap(STAGES.index("transform"))
    log.end()
    clock.tick(1)
    log.leave()

    [left] = read(tmp_path)
    assert left.role is Role.WORKER
    assert left.header["ready"] == 100
    assert left.header["left"] == 106
    assert left.header["os_threads"] == 3
    [entry] = left.done
    assert (entry["image_index"], entry["augmentation_index"]) == (4, 5)
    assert (entry["start"], entry["end"], entry["read"], entry["transform"], entry["write"]) == (
        100,
        105,
        2,
        3,
        0,
    )
    assert left.unfinished_task is None


def test_a_task_cut_short_is_seen(tmp_path: Path) -> None:
    log = Log(tmp_path, Role.SAVER)
    log.ready(1, 1)
    log.begin(0, 1)
    log.end()
    log.begin(2, 7)
    [left] = read(tmp_path)  # as if the process had been killed here
    assert left.unfinished_task == (2, 7)
    assert left.header["left"] == 0


def test_without_entries_only_the_header_is_kept(tmp_path: Path) -> None:
    log = Log(tmp_path, Role.WORKER, recording=False)
    log.ready(1, 1)
    log.begin(0, 0)
    log.lap(0)
    log.end()
    log.leave()
    [left] = read(tmp_path)
    assert len(left.done) == 0
    assert left.header["peak_rss_bytes"] > 1_000_000


def test_a_log_that_was_never_begun_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.log").touch()
    Log(tmp_path, Role.WORKER)
    assert read(tmp_path) == []


def test_entries_are_written_in_order(tmp_path: Path) -> None:
    log = Log(tmp_path, Role.WORKER)
    log.ready(1, 1)
    for number in range(3 * KEPT + 1):
        log.begin(number, 0)
        log.end()
    log.leave()
    [left] = read(tmp_path)
    assert list(left.done["image_index"]) == list(range(3 * KEPT + 1))


def test_the_transforms_of_a_task_are_kept_beside_its_entry(tmp_path: Path) -> None:
    clock = HandClock()
    log = Log(tmp_path, Role.WORKER, clock=clock)
    log.ready(1, 1)
    log.begin(0, 0)
    clock.tick(2)
    log.transformed("Blur", begin=100)
    clock.tick(1)
    log.transformed("Flip", begin=102)
    log.end()
    log.begin(0, SAMPLED)
    log.end()
    log.leave()
    [left] = read(tmp_path)
    assert left.transforms == [[("Blur", 2), ("Flip", 1)], []]


def test_a_block_that_was_not_completed_is_passed_over(tmp_path: Path) -> None:
    log = Log(tmp_path, Role.WORKER)
    log.ready(1, 1)
    for number in range(KEPT + 1):
        log.begin(number, 0)
        log.end()
    [path] = tmp_path.glob("*.log")
    whole = path.stat().st_size
    log.leave()
    path.write_bytes(path.read_bytes()[:whole] + bytes(100))  # room was made, and then it was killed
    [left] = read(tmp_path)
    assert len(left.done) == len(left.transforms) == KEPT


def test_of_short_tasks_only_some_have_their_transforms_timed(tmp_path: Path) -> None:
    clock = HandClock()
    log = Log(tmp_path, Role.WORKER, clock=clock)
    log.ready(opencv_threads=1, os_threads=1)
    timed = []
    for number, seconds in enumerate([0.001] * (SAMPLED + 1) + [1, 1]):
        log.begin(0, number)
        timed.append(log.timing)
        clock.tick(seconds)
        log.lap(STAGES.index("transform"))
        log.end()
    assert timed == [True, *[False] * (SAMPLED - 1), True, False, True]
    log.leave()
    [left] = read(tmp_path)
    assert [one is None for one in left.transforms] == [not one for one in timed]


def test_short_tasks_share_counters_by_their_seconds_and_a_pause_belongs_to_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counters say 6 seconds of user CPU whenever they are read, and 5 faults."""
    monkeypatch.setattr(Counters, "used", lambda _: (6.0, 0.0, 5, 0.0))
    clock = HandClock()
    log = Log(tmp_path, Role.WORKER, clock=clock)
    log.ready(1, 1)
    for pause_s, took_s in [(1, 0.003), (0, 0.001), (0, 0.005), (0, 0.001), (1, 0.002)]:
        clock.tick(pause_s)
        log.begin(0, 0)
        clock.tick(took_s)
        log.lap(STAGES.index("transform"))
        log.end()
    log.leave()
    [left] = read(tmp_path)
    shared = [6, 6 / 6, 30 / 6]  # the first, after a pause, by itself; then two that are over 5 ms together
    assert list(left.done["user"]) == pytest.approx([*shared, 6 / 6, 6]), "the fourth at the rate before it"
    assert list(left.done["faults"]) == [5, 1, 4, 1, 5]
