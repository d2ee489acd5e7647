"""The study's P_1 and P_2: a pool of workers, `starmap` with its default chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augment.options import option
from augment.strategies.base import Strategy, master, pool
from augment.task_runner import task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from augment.images import Pixels


@dataclass
class PoolStrategy(Strategy):
    """What the study's strategies share: how many tasks a worker is sent at a time."""

    chunksize: int | None = option(
        "tasks sent to a worker at a time; null: Pool's default (the study's)", None, minimum=1
    )


@dataclass
class P1(PoolStrategy):
    """The master reads all images first and sends the pixels with each task."""

    name: ClassVar[str] = "p1"
    label: ClassVar[str] = "P_1"
    color: ClassVar[str | None] = "#0072B2"
    marker: ClassVar[str] = "o"
    sends_pixels: ClassVar[bool] = True

    def run(self, job: Job) -> None:
        with master(job) as runner:
            images = runner.read_all()
            tasks = [(image, augmentation, images[image]) for image, augmentation in job.workload.tasks()]
            with pool(job, job.workers) as workers:
                workers.starmap(_augment_sent, tasks, self.chunksize)


@dataclass
class P2(PoolStrategy):
    """The worker reads the file again for every task."""

    name: ClassVar[str] = "p2"
    label: ClassVar[str] = "P_2"
    color: ClassVar[str | None] = "#009E73"
    marker: ClassVar[str] = "^"

    def run(self, job: Job) -> None:
        with master(job), pool(job, job.workers) as workers:
            workers.starmap(_augment_read, list(job.workload.tasks()), self.chunksize)


def _augment_sent(image_index: int, augmentation_index: int, pixels: Pixels) -> None:
    with task_runner().task(image_index, augmentation_index) as task:
        task.save(task.transform(pixels))


def _augment_read(image_index: int, augmentation_index: int) -> None:
    with task_runner().task(image_index, augmentation_index) as task:
        task.save(task.transform(task.read()))
