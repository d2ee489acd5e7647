"""The machine's ceiling: the same tasks on processes that never speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from augment.recording.log import Role
from augment.recording.processes import context
from augment.strategies.base import Strategy, master
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from augment.image_io import Pixels


@dataclass
class Replicas(Strategy):
    """The tasks are dealt out beforehand, in consecutive equal parts, to independent processes that
    each work as sequential does. No strategy of this kind can beat it: what it loses is the
    machine's, what a strategy loses below it is the strategy's."""

    name: ClassVar[str] = "replicas"
    label: ClassVar[str] = "replicas"
    instrument: ClassVar[bool] = True

    def run(self, job: Job) -> None:
        tasks = list(job.workload.tasks())
        ends = [len(tasks) * number // job.workers for number in range(job.workers + 1)]
        with master(job):
            replicas = [
                context(job.runtime.start_method).Process(target=_replica, args=(job, tasks[begin:end]))
                for begin, end in pairwise(ends)
            ]
            for replica in replicas:
                replica.start()
            for replica in replicas:
                replica.join()


def _replica(job: Job, tasks: list[tuple[int, int]]) -> None:
    open_task_runner(job, Role.WORKER)
    Replica().work(tasks)


class Replica:
    """Works in this process as sequential does: reads an image when it comes to the first of its tasks."""

    def __init__(self) -> None:
        self._in_hand: int | None = None
        self._pixels: Pixels

    def work(self, tasks: Iterable[tuple[int, int]]) -> None:
        """Does these tasks; an image that the one before needed is still in hand."""
        for image_index, augmentation_index in tasks:
            with task_runner().task(image_index, augmentation_index) as task:
                if image_index != self._in_hand:
                    self._pixels, self._in_hand = task.read(), image_index
                task.save(task.transform(self._pixels))
