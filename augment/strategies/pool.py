"""The study's P_1 and P_2: a pool of workers, `starmap` with its default chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
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

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """Also all images in the master, and what is on its way from there."""
        sent = sent_bytes(workers, image_bytes, n_augmentations, self.chunksize)
        return super().memory_bytes(workers, image_bytes, n_augmentations) + sum(image_bytes) + sent

    def run(self, job: Job) -> None:
        with master(job) as runner:
            images = runner.read_all()
            tasks = [(image, augmentation, images[image]) for image, augmentation in job.workload.tasks()]
            with pool(job, job.workers) as workers:
                workers.starmap(_augment_sent, tasks, self.chunksize)


def default_chunk(tasks: int, processes: int) -> int:
    """Tasks in a chunk of `starmap` when none is asked for: `Pool._map_async` cuts four for each process."""
    return ceil(tasks / (4 * processes))


def sent_bytes(processes: int, image_bytes: Sequence[int], n_augmentations: int, chunk: int | None) -> int:
    """Memory for the images on their way: the master packs one chunk while each process unpacks or works
    on another, each chunk there as a message and as arrays. Pickle stores an image once in a chunk; at
    worst a chunk begins with the last task of an image. There are no more chunks than the tasks fill."""
    tasks = len(image_bytes) * n_augmentations
    size = min(tasks, chunk or default_chunk(tasks, processes))
    images = min(len(image_bytes), 1 + ceil((size - 1) / n_augmentations))
    return min(processes + 1, ceil(tasks / size)) * 2 * images * max(image_bytes)


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
