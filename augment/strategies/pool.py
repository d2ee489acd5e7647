"""The study's P_1 and P_2: a pool of workers, `starmap` with its default chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from typing import TYPE_CHECKING, Any

from augment.options import option
from augment.strategies.base import Strategy, master
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from augment.images import Pixels


@dataclass
class PoolStrategy(Strategy):
    """The option of the study's strategies."""

    chunksize: int | None = option(
        "tasks sent to a worker at a time; null: Pool's default (the study's)", None, minimum=1
    )


@contextmanager
def pool(
    job: Job, processes: int, initializer: Callable[..., None] = open_task_runner, argument: Any = Role.WORKER
) -> Iterator[Pool]:
    """Yield a Pool whose processes called `initializer(job, argument)`; it ends with complete logs."""
    with job.runtime.context.Pool(processes, initializer, (job, argument)) as workers:
        yield workers
        workers.close()
        workers.join()


@dataclass
class P1(PoolStrategy):
    """The master reads all images first and sends the pixels with each task."""

    name = "p1"
    label = "P_1"
    sends_pixels = True

    def run(self, job: Job) -> None:
        with master(job) as runner:
            images = runner.read_all()
            tasks = [(*task, images[task[0]]) for task in job.workload.tasks() if task[0] in images]
            with pool(job, job.workers) as workers:
                workers.starmap(_augment_sent, tasks, self.chunksize)


@dataclass
class P2(PoolStrategy):
    """The worker reads the file again for every task."""

    name = "p2"
    label = "P_2"

    def run(self, job: Job) -> None:
        with master(job), pool(job, job.workers) as workers:
            workers.starmap(_augment_read, list(job.workload.tasks()), self.chunksize)


def _augment_sent(image_index: int, augmentation_index: int, pixels: Pixels) -> None:
    with task_runner().task(image_index, augmentation_index) as task:
        task.save(task.transform(pixels))


def _augment_read(image_index: int, augmentation_index: int) -> None:
    with task_runner().task(image_index, augmentation_index) as task:
        task.save(task.transform(task.read()))
