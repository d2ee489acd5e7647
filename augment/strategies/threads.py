"""Threads of one process instead of processes."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock, Thread

from augment.strategies.base import Strategy, master
from augment.strategies.dynamic import Claims, word_count
from augment.task_log.layout import Role
from augment.task_runner import TaskRunner
from augment.workload import Job


@dataclass
class Threads(Strategy):
    """The strategy `dynamic` with threads: OpenCV and NumPy release the GIL while they work on pixels.

    It needs a pipeline that draws nothing from a state which the threads of a process share.
    """

    name = "threads"
    label = "threads"
    color = "#E69F00"
    marker = "p"

    def run(self, job: Job) -> None:
        errors: list[BaseException] = []
        claims = Claims(job.workload, job.workers, [0] * word_count(job.workers), Lock)
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
        runner.run_tasks(claims.tasks(number))
        runner.log.complete()
    except BaseException as error:
        errors.append(error)
