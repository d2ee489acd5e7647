"""PyTorch's DataLoader."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial

from augment.strategies.base import master
from augment.strategies.engines.base import Engine, batches, run_batch
from augment.task_log.layout import Role
from augment.task_runner import open_task_runner
from augment.workload import Job


@dataclass
class DataLoader(Engine):
    """A dataset whose items are batches of tasks, which the loader's workers run in any order."""

    name = "dataloader"
    label = "PyTorch DataLoader"
    package = "torch"

    def run(self, job: Job) -> None:
        from torch.utils.data import DataLoader as TorchLoader

        with master(job):
            loader = TorchLoader(
                list(batches(job.workload, job.workers)),
                batch_size=None,
                collate_fn=run_batch,  # of an item, in a worker
                num_workers=job.workers,
                worker_init_fn=partial(_open, job),
                multiprocessing_context=job.runtime.context,
                in_order=False,
            )
            deque(loader, maxlen=0)


def _open(job: Job, _number: int) -> None:
    open_task_runner(job, Role.WORKER)
