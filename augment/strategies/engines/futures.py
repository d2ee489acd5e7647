"""Executors by the interface of concurrent.futures: Python's own, and loky, the one behind joblib."""

from collections import deque
from concurrent.futures import Executor, ProcessPoolExecutor
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
    package = "concurrent"

    def run(self, job: Job) -> None:
        with master(job), self._executor(job) as executor:
            deque(executor.map(run_batch, batches(job.workload, job.workers)), maxlen=0)

    def _executor(self, job: Job) -> Executor:
        return ProcessPoolExecutor(job.workers, job.runtime.context, open_task_runner, (job, Role.WORKER))


@dataclass
class Loky(Futures):
    """The same with `loky.ProcessPoolExecutor`, whose processes start by loky's own method."""

    name = "loky"
    label = "loky"
    package = "loky"

    def _executor(self, job: Job) -> Executor:
        from loky import ProcessPoolExecutor

        opening = {"initializer": open_task_runner, "initargs": (job, Role.WORKER)}
        executor: Executor = ProcessPoolExecutor(job.workers, **opening)
        return executor
