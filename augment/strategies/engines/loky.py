"""loky, the executor behind joblib."""

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, do_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner
from augment.workload import Job


@dataclass
class Loky(Engine):
    """`loky.ProcessPoolExecutor.map` over batches; its processes start by loky's own method."""

    name: ClassVar[str] = "loky"
    label: ClassVar[str] = "loky"
    color: ClassVar[str | None] = "#999933"
    marker: ClassVar[str] = ">"
    package: ClassVar[str] = "loky"

    def run(self, job: Job) -> None:
        from loky import ProcessPoolExecutor

        opening = {"initializer": open_task_runner, "initargs": (job, Role.WORKER)}
        with master(job), ProcessPoolExecutor(job.workers, **opening) as executor:
            deque(executor.map(do_batch, batches(job.workload, job.workers)), maxlen=0)
