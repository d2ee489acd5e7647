"""The study's P_1 and P_2: a pool of workers, `starmap` with its default chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from augment.strategies.base import Strategy, master, pool
from augment.task import bench
from augment.workload import Job

if TYPE_CHECKING:
    from augment.task import Pixels


@dataclass
class P1(Strategy):
    """The master reads all images first and sends the pixels with each task."""

    def run(self, job: Job) -> None:
        with master(job) as here:
            images = here.read_all()
            tasks = [(image, augmentation, images[image]) for image, augmentation in job.workload.tasks()]
            with pool(job, job.workers) as workers:
                workers.starmap(_augment_sent, tasks)


@dataclass
class P2(Strategy):
    """The worker reads the file again for every task."""

    def run(self, job: Job) -> None:
        with master(job), pool(job, job.workers) as workers:
            workers.starmap(_augment_read, list(job.workload.tasks()))


def _augment_sent(image_index: int, augmentation_index: int, pixels: Pixels) -> None:
    with bench().task(image_index, augmentation_index) as task:
        task.save(task.transform(pixels))


def _augment_read(image_index: int, augmentation_index: int) -> None:
    with bench().task(image_index, augmentation_index) as task:
        task.save(task.transform(task.read()))
