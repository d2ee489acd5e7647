"""The study's P_1 and P_2: a pool of workers, `starmap` with its default chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from augment.option import option
from augment.strategies.base import Strategy, check_chunk, chunk_size, master, pool
from augment.task_runner import bench
from augment.workload import Job

if TYPE_CHECKING:
    from augment.task_runner import Pixels


@dataclass
class PoolStrategy(Strategy):
    """What P_1 and P_2 share: how many tasks a worker is sent at a time."""

    chunk: str = option(
        "tasks sent to a worker at a time: a number, or auto, Pool's default (the study's)", "auto"
    )

    def check(self) -> None:
        check_chunk(self.chunk)


@dataclass
class P1(PoolStrategy):
    """The master reads all images first and sends the pixels with each task."""

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """Also all images in the master, and what is on its way from there."""
        sent = sent_bytes(workers, image_bytes, n_augmentations)
        return super().memory_bytes(workers, image_bytes, n_augmentations) + sum(image_bytes) + sent

    def run(self, job: Job) -> None:
        with master(job) as here:
            images = here.read_all()
            tasks = [(image, augmentation, images[image]) for image, augmentation in job.workload.tasks()]
            with pool(job, job.workers) as workers:
                workers.starmap(_augment_sent, tasks, chunk_size(self.chunk))


def sent_bytes(processes: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
    """Memory for the images on their way: the master packs one chunk of `starmap` while each process
    unpacks or works on another, each chunk there as a message and as arrays.

    A default chunk is 1 / (4 processes) of the tasks, rounded up (`Pool._map_async`); pickle stores
    an image once in it. At worst a chunk begins with the last task of an image."""
    chunk = ceil(len(image_bytes) * n_augmentations / (4 * processes))
    images = min(len(image_bytes), 1 + ceil((chunk - 1) / n_augmentations))
    return (processes + 1) * 2 * images * max(image_bytes)


@dataclass
class P2(PoolStrategy):
    """The worker reads the file again for every task."""

    def run(self, job: Job) -> None:
        with master(job), pool(job, job.workers) as workers:
            workers.starmap(_augment_read, list(job.workload.tasks()), chunk_size(self.chunk))


def _augment_sent(image_index: int, augmentation_index: int, pixels: Pixels) -> None:
    with bench().task(image_index, augmentation_index) as task:
        task.save(task.transform(pixels))


def _augment_read(image_index: int, augmentation_index: int) -> None:
    with bench().task(image_index, augmentation_index) as task:
        task.save(task.transform(task.read()))
