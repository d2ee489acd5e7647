"""The study's P_Q: some workers transform, the others save the images that come through their queues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, sqrt
from multiprocessing.managers import SyncManager
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from augment.options import option
from augment.strategies.base import master
from augment.strategies.pool import PoolStrategy, pool
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from augment.images import Pixels


@dataclass
class PQ(PoolStrategy):
    """The master reads all images and sends the pixels; the output of task i goes to queue i mod savers."""

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
            with (
                _savers(job, queues),
                pool(job, job.workers - n_savers, _open_transformer, queues) as workers,
            ):
                workers.starmap(_augment_and_send, tasks, self.chunksize)


@contextmanager
def _manager(job: Job) -> Iterator[SyncManager]:
    # An abstract socket has no file that could be left behind, or whose path could be too long.
    address = f"\0augment-{os.getpid()}-{token_hex(8)}"
    manager = SyncManager(address, ctx=job.runtime.context)
    manager.start(open_task_runner, (job, Role.MANAGER))
    with manager:
        yield manager


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


def _open_transformer(job: Job, queues: list[Any]) -> None:
    open_task_runner(job, Role.WORKER)
    _queues[:] = queues


def _augment_and_send(saver: int, image_index: int, augmentation_index: int, pixels: Pixels) -> None:
    with task_runner().task(image_index, augmentation_index) as task:
        augmented = task.transform(pixels)
        task.send(_queues[saver], (image_index, augmentation_index, augmented))
