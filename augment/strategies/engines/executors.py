"""The batches that engines hand out, and executors: Python's, loky (joblib's), PyTorch's DataLoader, Dask."""

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from math import ceil
from typing import Any, ClassVar

from augment.strategies.base import Strategy, master
from augment.task_log.layout import Role
from augment.task_runner import TaskRunner, open_task_runner, task_runner
from augment.workload import Job, Workload

BATCHES_PER_WORKER = 4  # at least, if there are enough tasks, so that none waits long for the last one
Batch = tuple[int, Sequence[int]]  # an image, and augmentations of it


@dataclass
class Engine(Strategy):
    """An executor of other people. Tasks travel as batches of one image, which a worker reads once."""

    package: ClassVar[str]  # its module has the same name

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        if find_spec(self.package):
            return None
        return f"{self.name} needs {self.package}, which is not installed: pip install {self.package}"


def batches(workload: Workload, workers: int) -> Iterator[Batch]:
    """Yield the tasks of each image in as many batches as give every worker BATCHES_PER_WORKER."""
    n_images = len(workload.inputs)
    for image in range(n_images):
        augmentations = workload.augmentations(image)
        count = len(augmentations)
        parts = min(count, ceil(BATCHES_PER_WORKER * workers / n_images))
        ends = [count * part // parts for part in range(parts + 1)] if count else []
        yield from ((image, augmentations[begin:end]) for begin, end in pairwise(ends))


def run_batch(batch: Batch, runner: TaskRunner | None = None) -> None:
    """Run the tasks of a batch, by default with the runner that this process has opened."""
    image, augmentations = batch
    (runner or task_runner()).run_tasks((image, augmentation) for augmentation in augmentations)


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
