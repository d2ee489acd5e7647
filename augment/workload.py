"""The work to do, the same for every strategy, and the job that hands it to one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.runtime import Runtime

Task = tuple[int, int]  # image_index, augmentation_index


@dataclass(frozen=True)
class Workload:
    """Images × augmentations under one random transform."""

    inputs: Sequence[Path]
    n_augmentations: int
    pipeline: Mapping[str, Any]  # a declaration as in conf/pipeline
    seed: int
    output: Path | None  # folder of the augmented images; None: they are not saved

    def tasks(self) -> Iterator[Task]:
        """Yield every task, image by image."""
        for image_index in range(len(self.inputs)):
            for augmentation_index in range(self.n_augmentations):
                yield image_index, augmentation_index

    def output_name(self, image_index: int, augmentation_index: int) -> str:
        """Return the study's `aug_{stem}_{augmentation_index:06d}{ext}`, with the input's extension."""
        stem, _, extension = self.inputs[image_index].name.rpartition(".")
        return f"aug_{stem}_{augmentation_index:06d}.{extension}"

    def output_names(self) -> list[str]:
        """Return the names of all outputs, in the order of the tasks."""
        return [self.output_name(*task) for task in self.tasks()]


@dataclass(frozen=True)
class Job:
    """A workload with the means to carry it out."""

    workload: Workload
    workers: int
    runtime: Runtime
    logs: Path  # folder in which each process keeps a log
    trace: bool = True  # False: the logs contain no tasks
