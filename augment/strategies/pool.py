"""The study's P_1, P_2 and P_Q: a pool of workers, `starmap` with its default chunks."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, sqrt
from multiprocessing.managers import SyncManager
from multiprocessing.pool import Pool
from secrets import token_hex
from typing import Any

from augment.images import Pixels
from augment.options import option
from augment.strategies.base import Strategy, master
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job


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
    """A pool whose master reads all images first and sends the pixels with each task."""

    name = "p1"
    label = "P_1"
    sends_pixels = True

    def run(self, job: Job) -> None:
        with master(job) as runner:
            images = runner.read_all()
            tasks = [(*task, images[task[0]]) for task in job.workload.tasks() if task[0] in images]
            with pool(job, job.workers) as workers:
                workers.starmap(_augment, tasks, self.chunksize)


@dataclass
class P2(PoolStrategy):
    """A pool whose workers read the file again for every task."""

    name = "p2"
    label = "P_2"

    def run(self, job: Job) -> None:
        with master(job), pool(job, job.workers) as workers:
            workers.starmap(_augment, list(job.workload.tasks()), self.chunksize)


def _augment(image_index: int, augmentation_index: int, pixels: "Pixels | None" = None) -> None:
    """Carry out a task on the pixels that were sent, or read them."""
    with task_runner().task(image_index, augmentation_index) as task:
        task.save(task.transform(task.read() if pixels is None else pixels))


@dataclass
class PQ(PoolStrategy):
    """A pool whose workers transform, and savers, which save the images that come through their queues.

    The master reads all images and sends the pixels; the output of task i goes to queue i mod savers.
    """

    name = "pq"
    label = "P_Q"
    sends_pixels = True
    queues_outputs = True

    savers: int | None = option(
        "how many of the workers only save; null: max(1, ceil(sqrt(workers)) - 1), the study's",
        None,
        minimum=1,
    )

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        if not saving:
            return "pq is a way of saving: saving=false does not apply"
        if (savers := self.savers_of(workers)) < workers:
            return None
        return f"pq with savers={savers} has no worker left to transform: workers={workers} does not apply"

    def savers_of(self, workers: int) -> int:
        """Return how many of the workers save, by default the study's rule."""
        return self.savers or max(1, ceil(sqrt(workers)) - 1)

    def run(self, job: Job) -> None:
        n_savers = self.savers_of(job.workers)
        with master(job) as runner, _manager(job) as manager:
            images = runner.read_all()
            queues = [manager.Queue() for _ in range(n_savers)]
            sendable = (task for task in job.workload.tasks() if task[0] in images)
            tasks = [(number % n_savers, *task, images[task[0]]) for number, task in enumerate(sendable)]
            with _savers(job, queues), pool(job, job.workers - n_savers, _open_sender, queues) as workers:
                workers.starmap(_augment_and_send, tasks, self.chunksize)


def _manager(job: Job) -> SyncManager:
    # An abstract socket has no file that could be left behind, or whose path could be too long.
    address = f"\0augment-{os.getpid()}-{token_hex(8)}"
    manager = SyncManager(address, ctx=job.runtime.context)
    manager.start(open_task_runner, (job, Role.MANAGER))
    return manager


@contextmanager
def _savers(job: Job, queues: list[Any]) -> Iterator[None]:
    """Keep a saving process for each queue; at the end, send each its sentinel and wait for it."""
    start = job.runtime.context.Process
    savers = [start(target=_save_until_sentinel, args=(job, queue)) for queue in queues]
    for saver in savers:
        saver.start()
    yield
    for queue in queues:
        queue.put(None)
    for saver in savers:
        saver.join()


def _save_until_sentinel(job: Job, queue: Any) -> None:
    open_task_runner(job, Role.SAVER)
    while (item := queue.get()) is not None:
        image_index, augmentation_index, pixels = item
        with task_runner().task(image_index, augmentation_index) as task:
            task.save(pixels)


_queues: list[Any] = []


def _open_sender(job: Job, queues: list[Any]) -> None:
    open_task_runner(job, Role.WORKER)
    _queues[:] = queues


def _augment_and_send(saver: int, image_index: int, augmentation_index: int, pixels: Pixels) -> None:
    with task_runner().task(image_index, augmentation_index) as task:
        augmented = task.transform(pixels)
        task.send(_queues[saver], (image_index, augmentation_index, augmented))
