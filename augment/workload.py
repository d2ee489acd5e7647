"""The work to do, the same for every strategy, and the job that hands it to one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from augment.filesystem import InputFiles, is_local
from augment.runtime import Runtime

Task = tuple[int, int]  # image_index, augmentation_index
OnBadImage = StrEnum("OnBadImage", ["fail", "skip"])  # effect of an unusable image file on a trial


@dataclass(frozen=True)
class Workload:
    """Images × augmentations under one random transform.

    Tasks are numbered from 0, image by image. With `outputs_total` T, image i of N has the augmentations
    i·T // N to (i + 1)·T // N, so that the counts of two images differ by 1 at most.
    """

    inputs: InputFiles
    n_augmentations: int  # of each image, unless `outputs_total` is given
    pipeline: Mapping[str, Any]  # a declaration as in conf/pipeline
    seed: int
    output: Path | None  # folder of the augmented images; None: they are not saved
    outputs_total: int | None = None
    output_format: str | None = None  # extension of the outputs; None: as the input
    output_quality: int | None = None  # of JPEG, WebP and AVIF
    max_image_pixels: int = 100_000_000
    on_bad_image: OnBadImage = OnBadImage.fail
    bad_images: Mapping[int, str] = field(default_factory=dict)  # known before: reasons by image index
    done: bytes = b""  # a byte for each task, 1 if its output exists; empty: none does

    @property
    def n_tasks(self) -> int:
        """Return the number of all tasks, done ones too."""
        return self.n_augmentations * len(self.inputs) if self.outputs_total is None else self.outputs_total

    def first_task(self, image_index: int) -> int:
        """Return the number of an image's first task, or of the next image's if it has none."""
        return image_index * self.n_tasks // len(self.inputs)

    def task(self, number: int) -> Task:
        """Return the task of a number."""
        image_index = ((number + 1) * len(self.inputs) - 1) // self.n_tasks
        return image_index, number - self.first_task(image_index)

    def augmentations(self, image_index: int) -> Sequence[int]:
        """Return the augmentations of an image whose outputs are missing."""
        begin, end = self.first_task(image_index), self.first_task(image_index + 1)
        if not self.done:
            return range(end - begin)
        return [number - begin for number in range(begin, end) if not self.done[number]]

    def tasks(self) -> Iterator[Task]:
        """Yield every task whose output is missing, image by image."""
        for image_index in range(len(self.inputs)):
            for augmentation_index in self.augmentations(image_index):
                yield image_index, augmentation_index

    def output_name(self, image_index: int, augmentation_index: int) -> str:
        """Return `aug_{stem}_{augmentation_index:06d}.{extension}` in the sub-folder of the input."""
        folder, slash, name = self.inputs.names[image_index].rpartition("/")
        stem, _, extension = name.rpartition(".")
        extension = self.output_format or extension
        return f"{folder}{slash}aug_{stem}_{augmentation_index:06d}.{extension}"

    def make_folders(self) -> None:
        """Make the folder of the outputs and its sub-folders; at an address there are none to make."""
        if self.output and is_local(self.output):
            for name in sorted({name.rpartition("/")[0] for name in self.inputs.names}):
                (self.output / name).mkdir(parents=True, exist_ok=True)

    def output_names(self, image_indices: Iterable[int] | None = None) -> Iterator[str]:
        """Yield the names of all outputs of these images, by default of all, done ones too."""
        for image_index in range(len(self.inputs)) if image_indices is None else image_indices:
            for number in range(self.first_task(image_index + 1) - self.first_task(image_index)):
                yield self.output_name(image_index, number)


@dataclass(frozen=True)
class Job:
    """A workload with the means to carry it out."""

    workload: Workload
    workers: int
    runtime: Runtime
    logs: Path  # folder in which each process keeps a log
    trace: bool = True  # False: the logs contain no tasks
