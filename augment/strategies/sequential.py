"""The reference: one process."""

from dataclasses import dataclass

from augment.strategies.base import Strategy, master
from augment.task_log.layout import Role
from augment.workload import Job


@dataclass
class Sequential(Strategy):
    """One process, which makes all augmentations of an image before it reads the next."""

    name = "sequential"

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers == 1 else f"sequential is one process: workers={workers} does not apply"

    def run(self, job: Job) -> None:
        with master(job, Role.WORKER) as runner:
            runner.run_tasks(job.workload.tasks())
