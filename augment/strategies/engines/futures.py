"""concurrent.futures, of Python itself."""

from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, do_batch
from augment.task_log.layout import Role
from augment.task_log.processes import context
from augment.task_runner import open_task_runner
from augment.workload import Job


@dataclass
class Futures(Engine):
    """`ProcessPoolExecutor.map` over batches, one at a time to a worker."""

    name: ClassVar[str] = "futures"
    label: ClassVar[str] = "concurrent.futures"
    color: ClassVar[str | None] = "#762A83"
    marker: ClassVar[str] = "<"
    package: ClassVar[str] = "concurrent"

    def run(self, job: Job) -> None:
        start = context(job.runtime.start_method)
        with (
            master(job),
            ProcessPoolExecutor(job.workers, start, open_task_runner, (job, Role.WORKER)) as executor,
        ):
            deque(executor.map(do_batch, batches(job.workload, job.workers)), maxlen=0)
