"""Logs that come back from other machines delta by delta."""

from pathlib import Path

import pytest

from augment.strategies.engines.ray import LogDelta
from augment.task_log.reader import read
from tests.helpers.fake_clock import FakeLog


def test_deltas_make_the_log_that_their_process_has(tmp_path: Path) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    log = FakeLog(tmp_path / "there")
    for number in range(3):
        log.do_task((number, 0), read=1, transform=2)
        if number < 2:
            LogDelta.of(log, "node/1").append_to(tmp_path / "here")
    LogDelta.of(log, "node/1").append_to(tmp_path / "here")
    [original], [copy] = read(tmp_path / "there"), read(tmp_path / "here")
    assert copy.tasks.tolist() == original.tasks.tolist()
    assert copy.header == original.header._replace(node=b"node/1")


def test_times_of_another_machine_are_shifted(tmp_path: Path) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    log = FakeLog(tmp_path / "there")
    log.do_task((0, 0), read=1)
    delta = LogDelta.of(log, "node/1")
    delta._replace(boot="another", clock_ahead_s=delta.clock_ahead_s - 50).append_to(tmp_path / "here")
    [process] = read(tmp_path / "here")
    assert process.tasks[["start", "end", "read"]].tolist() == [
        (pytest.approx(150, abs=0.1), pytest.approx(151, abs=0.1), 1)
    ]


def test_times_of_this_machine_are_kept_if_its_time_of_day_is_set(tmp_path: Path) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    log = FakeLog(tmp_path / "there")
    log.do_task((0, 0), read=1)
    delta = LogDelta.of(log, "node/1")
    delta._replace(clock_ahead_s=delta.clock_ahead_s - 50).append_to(tmp_path / "here")
    [process] = read(tmp_path / "here")
    assert process.header.shift_s == 0
