"""Strategies that lose a given time by handing out tasks or by starting workers."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from augment.runtime import StartMethod
from augment.strategies.base import master
from augment.strategies.pool import P1, P2, pool
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job
from experiments.calibration.loads import compute


@dataclass
class SlowHandOut(P1):
    """P_1 with a master that sleeps `hand_out_s` before it sends the pixels of a task.

    If the master computed, it would take a CPU from the workers on a machine with no CPU to spare.
    """

    hand_out_s: float = 0.0

    def run(self, job: Job) -> None:
        """Run the tasks of a job."""
        with master(job) as runner:
            images = runner.read_all()
            with pool(job, job.workers) as workers:
                for _done in workers.imap(_augment_sent, self._hand_out(job, images)):
                    pass

    def _hand_out(self, job: Job, images: Any) -> Iterator[tuple[int, int, Any]]:
        for index, augmentation in job.workload.tasks():
            time.sleep(self.hand_out_s)
            yield index, augmentation, images[index]


@dataclass
class SlowStart(P2):
    """P_2 with workers that compute `start_s` before their first task, unless the start method is fork.

    The workers are forked in both cases, because the start of a new interpreter takes a time of its own.
    """

    start_s: float = 0.0

    def run(self, job: Job) -> None:
        """Run the tasks of a job."""
        start_s = 0.0 if job.runtime.start_method is StartMethod.fork else self.start_s
        forked = replace(job, runtime=replace(job.runtime, start_method=StartMethod.fork))
        with master(job), pool(forked, job.workers, _start, start_s) as workers:
            workers.map(_augment, list(job.workload.tasks()), self.chunksize)


def _start(job: Job, seconds: float) -> None:
    open_task_runner(job, Role.WORKER)
    compute(seconds)


def _augment_sent(task: tuple[int, int, Any]) -> None:
    *place, pixels = task
    with task_runner().task(*place) as current:
        current.save(current.transform(pixels))


def _augment(task: tuple[int, int]) -> None:
    with task_runner().task(*task) as current:
        current.save(current.transform(current.read()))
