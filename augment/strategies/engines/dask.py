"""Dask, with its distributed scheduler on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, run_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job


@dataclass
class Dask(Engine):
    """A local cluster of workers with one thread each; `Client.map` over batches."""

    name = "dask"
    label = "Dask"
    package = "distributed"

    def run(self, job: Job) -> None:
        from distributed import Client, LocalCluster

        with (
            master(job),
            LocalCluster(
                n_workers=job.workers,
                threads_per_worker=1,
                dashboard_address=None,
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
