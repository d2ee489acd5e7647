"""Dask, with its distributed scheduler on this machine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import ClassVar

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, do_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job


@dataclass
class Dask(Engine):
    """A local cluster of workers with one thread each; `Client.map` over batches."""

    name: ClassVar[str] = "dask"
    label: ClassVar[str] = "Dask"
    color: ClassVar[str | None] = "#44AA99"
    marker: ClassVar[str] = "H"
    package: ClassVar[str] = "distributed"

    def load(self) -> None:
        import distributed  # noqa: F401

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
            workers = list(client.scheduler_info(n_workers=-1)["workers"])
            client.gather(
                [
                    client.submit(open_task_runner, job, Role.WORKER, workers=[each], pure=False)
                    for each in workers
                ]
            )
            client.gather(
                client.map(do_batch, list(batches(job.workload, job.workers)), pure=False, retries=0)
            )
            client.gather([client.submit(_leave, workers=[each], pure=False) for each in workers])


def _leave() -> None:
    task_runner().leave()
