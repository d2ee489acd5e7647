"""Executors on this machine: Python's own, loky (the one behind joblib), PyTorch's DataLoader, and Dask."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, run_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
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
    late_modules = tuple(f"loky.backend.{name}" for name in ("fork_exec", "popen_loky_posix", "synchronize"))

    def _executor(self, job: Job) -> Executor:
        from loky import ProcessPoolExecutor

        opening = {"initializer": open_task_runner, "initargs": (job, Role.WORKER)}
        executor: Executor = ProcessPoolExecutor(job.workers, **opening)
        return executor


@dataclass
class DataLoader(Engine):
    """A dataset whose items are batches of tasks, which the loader's workers run in any order."""

    name = "dataloader"
    label = "PyTorch DataLoader"
    package = "torch"
    late_modules = ("torch.utils.data",)

    def run(self, job: Job) -> None:
        from torch.utils.data import DataLoader as TorchLoader

        with master(job):
            loader = TorchLoader(
                list(batches(job.workload, job.workers)),
                batch_size=None,
                collate_fn=run_batch,  # of an item, in a worker
                num_workers=job.workers,
                worker_init_fn=partial(_open_in_loader, job),
                multiprocessing_context=job.runtime.context,
                in_order=False,
            )
            deque(loader, maxlen=0)


def _open_in_loader(job: Job, _number: int) -> None:
    open_task_runner(job, Role.WORKER)


@dataclass
class Dask(Engine):
    """A local cluster of workers with one thread each; `Client.map` over batches.

    Its ports are open to the users of this machine, and to no other machine.
    """

    name = "dask"
    label = "Dask"
    package = "distributed"
    late_modules = ("distributed", "tornado.platform.asyncio")

    def run(self, job: Job) -> None:
        import dask
        from distributed import Client, LocalCluster

        with (
            master(job),
            dask.config.set(
                {f"distributed.{part}.http.routes": [] for part in ("scheduler", "nanny", "worker")}
            ),
            LocalCluster(
                n_workers=job.workers,
                threads_per_worker=1,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # else it takes port 8787
                local_directory=tempfile.gettempdir(),
            ) as cluster,
            Client(cluster) as client,
        ):
            _run_on_each(client, open_task_runner, job, Role.WORKER)
            tasks = list(batches(job.workload, job.workers))
            client.gather(client.map(run_batch, tasks, pure=False, retries=0))
            _run_on_each(client, _complete_log)


def _run_on_each(client: Any, function: Callable[..., None], *arguments: object) -> None:
    """Call a function on each worker, in the thread that runs tasks (`Client.run` takes another)."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    client.gather([client.submit(function, *arguments, workers=[name], pure=False) for name in workers])


def _complete_log() -> None:
    task_runner().log.complete()
