"""What is to be done, the same for every strategy, and what a strategy is handed to do it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.runtime import Runtime


@dataclass(frozen=True)
class Workload:
    """Images × augmentations under one random transform.

    `inputs` are image files, `pipeline` a declaration as in conf/pipeline, `output` the folder
    for the augmented images or None when they are not saved."""

    inputs: Sequence[Path]
    n_augmentations: int
    pipeline: Mapping[str, Any]
    seed: int
    output: Path | None

    def tasks(self) -> Iterator[tuple[int, int]]:
        """Every task, `(image_index, augmentation_index)`, image by image."""
        for image_index in range(len(self.inputs)):
            for augmentation_index in range(self.n_augmentations):
                yield image_index, augmentation_index

    def output_name(self, image_index: int, augmentation_index: int) -> str:
        """The study's `aug_{stem}_{augmentation_index:06d}{ext}`, with the input's extension."""
        stem, _, extension = self.inputs[image_index].name.rpartition(".")
        return f"aug_{stem}_{augmentation_index:06d}.{extension}"

    def output_names(self) -> list[str]:
        """The names of all outputs, in the order of the tasks."""
        return [self.output_name(*task) for task in self.tasks()]


@dataclass(frozen=True)
class Job:
    """A workload with the means to carry it out: `workers` processes under one `runtime` policy,
    each keeping its log in the folder `logs` (with every task in it when `trace`), one worker's
    and the master's cProfile in the folder `profiles` if there is one."""

    workload: Workload
    workers: int
    runtime: Runtime
    logs: Path
    trace: bool = True
    profiles: Path | None = None
