"""One process at work on a job: where a task waited for its files."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from augment.task_log.layout import Role
from augment.task_log.reader import read
from augment.task_runner import TaskRunner
from tests.helpers.small_jobs import small_job

WRITING_S = 0.05


def compute(*_: Any) -> None:
    end_s = time.thread_time() + WRITING_S
    while time.thread_time() < end_s:
        sum(range(1000))


def sleep(*_: Any) -> None:
    time.sleep(WRITING_S)


def seconds_of_a_task(folder: Path, writing: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the logged stages of a task that writes in this way."""
    monkeypatch.setattr("augment.task_runner.write", writing)
    job = small_job(folder, 1)
    runner = TaskRunner(job, Role.WORKER)
    with runner.task(0, 0) as task:
        task.save(task.read())
    runner.log.complete()
    [process] = read(job.logs)
    return process.tasks[0]


def test_sleeping_in_a_write_is_file_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = seconds_of_a_task(tmp_path, sleep, monkeypatch)
    assert 0.99 * WRITING_S < task["file_wait"] <= task["read"] + task["write"]


def test_computing_in_a_write_is_no_file_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = seconds_of_a_task(tmp_path, compute, monkeypatch)
    assert 0 <= task["file_wait"] < task["read"] + task["write"] - 0.99 * WRITING_S


def test_task_without_trace_reads_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("time.thread_time")
    runner = TaskRunner(small_job(tmp_path, 1, trace=False), Role.WORKER)
    with runner.task(0, 0) as task:
        task.save(task.read())
    runner.log.complete()
