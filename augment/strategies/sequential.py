"""The reference: one process."""

from dataclasses import dataclass
from typing import ClassVar

from augment.strategies.base import Strategy, master
from augment.task_log.layout import Role
from augment.task_runner import do_tasks
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
            do_tasks(runner, job.workload.tasks())
