"""Python's concurrent.futures."""

from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, run_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner
from augment.workload import Job


@dataclass
class Futures(Engine):
    """`ProcessPoolExecutor.map` over batches, one at a time to a worker."""

    name = "futures"
    label = "concurrent.futures"
    color = "#762A83"
    marker = "<"
    package = "concurrent"

    def run(self, job: Job) -> None:
        context, opening = job.runtime.context, (open_task_runner, (job, Role.WORKER))
        with master(job), ProcessPoolExecutor(job.workers, context, *opening) as executor:
            deque(executor.map(run_batch, batches(job.workload, job.workers)), maxlen=0)
