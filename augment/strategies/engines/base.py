"""The package of an engine, and the batches of tasks that engines hand out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from math import ceil
from typing import ClassVar

from augment.strategies.base import Strategy
from augment.task_runner import TaskRunner, task_runner
from augment.workload import Workload

BATCHES_PER_WORKER = 4  # at least, if there are enough tasks, so that none waits long for the last one
Batch = tuple[int, Sequence[int]]  # an image, and augmentations of it


@dataclass
class Engine(Strategy):
    """An executor of other people. Tasks travel as batches of one image, which a worker reads once."""

    package: ClassVar[str]  # its module has the same name

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        if find_spec(self.package):
            return None
        return f"{self.name} needs {self.package}, which is not installed: pip install {self.package}"


def batches(workload: Workload, workers: int) -> Iterator[Batch]:
    """Yield the tasks of each image in as many batches as give every worker BATCHES_PER_WORKER."""
    n_images = len(workload.inputs)
    for image in range(n_images):
        augmentations = workload.augmentations(image)
        count = len(augmentations)
        parts = min(count, ceil(BATCHES_PER_WORKER * workers / n_images))
        ends = [count * part // parts for part in range(parts + 1)] if count else []
        yield from ((image, augmentations[begin:end]) for begin, end in pairwise(ends))


def run_batch(batch: Batch, runner: TaskRunner | None = None) -> None:
    """Run the tasks of a batch, by default with the runner that this process has opened."""
    image, augmentations = batch
    (runner or task_runner()).run_tasks((image, augmentation) for augmentation in augmentations)
