"""The reference: one process."""

from dataclasses import dataclass

from augment.recording.log import Role
from augment.strategies.base import Strategy
from augment.task_runner import Bench
from augment.workload import Job


@dataclass
class Sequential(Strategy):
    """One process reads an image, makes all its augmentations, goes on to the next."""

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers == 1 else f"sequential is one process: workers={workers} does not apply"

    def run(self, job: Job) -> None:
        bench = Bench(job, Role.WORKER)
        for image_index, augmentation_index in job.workload.tasks():
            with bench.task(image_index, augmentation_index):
                if augmentation_index == 0:
                    pixels = bench.read()
                bench.save(bench.transform(pixels))
        bench.leave()
