"""Threads of one process instead of processes."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock, Thread
from typing import ClassVar

from augment.strategies.base import Strategy, master
from augment.strategies.dynamic import Claims, words
from augment.task_log.layout import Role
from augment.task_runner import TaskRunner, do_tasks
from augment.workload import Job


@dataclass
class Threads(Strategy):
    """As dynamic, but its workers are threads: OpenCV and NumPy let others run while they work on pixels.
    Only for pipelines that draw nothing from a state which the threads of a process share."""

    name: ClassVar[str] = "threads"
    label: ClassVar[str] = "threads"
    color: ClassVar[str | None] = "#E69F00"
    marker: ClassVar[str] = "p"

    def run(self, job: Job) -> None:
        errors: list[BaseException] = []
        claims = Claims(job.workload, job.workers, [0] * words(job.workers), Lock)
        threads = [Thread(target=_work, args=(job, claims, number, errors)) for number in range(job.workers)]
        with master(job):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for error in errors:
                raise error


def _work(job: Job, claims: Claims, number: int, errors: list[BaseException]) -> None:
    try:
        runner = TaskRunner(job, Role.WORKER)
        do_tasks(runner, claims.of(number))
        runner.leave()
    except BaseException as error:
        errors.append(error)
