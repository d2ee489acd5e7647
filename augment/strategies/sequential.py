"""The reference: one process."""

from dataclasses import dataclass
from typing import ClassVar

from augment.recording.log import Role
from augment.strategies.base import Strategy, master
from augment.workload import Job


@dataclass
class Sequential(Strategy):
    """One process reads an image, makes all its augmentations, goes on to the next."""

    name: ClassVar[str] = "sequential"
    label: ClassVar[str] = "sequential"
    color: ClassVar[str | None] = "#000000"
    marker: ClassVar[str] = "D"

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers == 1 else f"sequential is one process: workers={workers} does not apply"

    def run(self, job: Job) -> None:
        with master(job, Role.WORKER) as runner:
            for image_index, augmentation_index in job.workload.tasks():
                with runner.task(image_index, augmentation_index):
                    if augmentation_index == 0:
                        pixels = runner.read()
                    runner.save(runner.transform(pixels))
