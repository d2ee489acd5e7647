"""loky, the executor behind joblib."""

from collections import deque
from dataclasses import dataclass

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, run_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner
from augment.workload import Job


@dataclass
class Loky(Engine):
    """`loky.ProcessPoolExecutor.map` over batches; its processes start by loky's own method."""

    name = "loky"
    label = "loky"
    color = "#999933"
    marker = ">"
    package = "loky"

    def run(self, job: Job) -> None:
        from loky import ProcessPoolExecutor

        opening = {"initializer": open_task_runner, "initargs": (job, Role.WORKER)}
        with master(job), ProcessPoolExecutor(job.workers, **opening) as executor:
            deque(executor.map(run_batch, batches(job.workload, job.workers)), maxlen=0)
