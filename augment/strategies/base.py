"""The contract of a strategy, and the pool that the study's strategies share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from typing import ClassVar

from augment.task_log.layout import Role
from augment.task_log.processes import context
from augment.task_runner import TaskRunner, open_task_runner
from augment.workload import Job

# Measured on the study's pipeline with 2000x1000 and 2000x2000 pixels of noise.
PROCESS_BYTES = 75_000_000  # of its own, without images: 75 MB in a spawned worker, 20 in a forked one
WORKING_COPIES = 16  # of its image in a transforming worker: 12 on average, 28 at most (ISONoise in float32)


@dataclass
class Strategy(ABC):
    """How `job.workers` processes carry a workload out. A strategy's fields are its options on the
    command line; it differs from the others in how tasks and pixels travel, and in nothing else.
    What a report needs to know of it stands on its class."""

    name: ClassVar[str]
    label: ClassVar[str]  # what people call it
    color: ClassVar[str | None] = None  # the same in every chart; None: one of the spare ones
    marker: ClassVar[str] = "v"
    sends_pixels: ClassVar[bool] = False  # from the master to the workers
    # It measures the machine, not a way to be done sooner: each worker carries out all tasks and saves to a
    # folder of its own, the first one to that of the job.
    instrument: ClassVar[bool] = False
    # A worker that dies is replaced, and what it had in hand is done again.
    replaces_workers: ClassVar[bool] = False
    complete: ClassVar[bool] = True  # False: carries out only some of the tasks, any of them several times

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        """Why this strategy does not apply to these settings; None where it does."""
        return None

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """About how much memory all its processes hold together at worst, if every image of
        `image_bytes` (decoded) is augmented `n_augmentations` times, to outputs as large as itself.

        Here: a master, and workers that have one image each in work. A strategy that holds more
        images than these adds them."""
        return (workers + 1) * PROCESS_BYTES + workers * WORKING_COPIES * max(image_bytes)

    @property
    def on_this_machine(self) -> bool:
        """Whether all its workers run here."""
        return True

    def load(self) -> None:  # noqa: B027 - most need nothing
        """Imports what it needs; called once before the clock runs."""

    @abstractmethod
    def run(self, job: Job) -> None:
        """Carries out every task of the workload, or what `instrument` and `complete` say. Returns when the
        last output is complete on disk and every process started here has ended; the call is the timed
        region."""


@contextmanager
def master(job: Job, role: Role = Role.MASTER) -> Iterator[TaskRunner]:
    """The runner of the process that calls `run`: a master only reads and deals out."""
    runner = TaskRunner(job, role)
    yield runner
    runner.leave()


def run_processes(processes: Sequence[BaseProcess]) -> None:
    """Starts them all and waits until all have ended."""
    for process in processes:
        process.start()
    for process in processes:
        process.join()


@contextmanager
def pool(
    job: Job, processes: int, initializer: Callable[..., None] = open_task_runner, *arguments: object
) -> Iterator[Pool]:
    """`multiprocessing.Pool` whose processes have opened their runner; ended without haste, so that
    each completes its log."""
    arguments = arguments or (Role.WORKER,)
    with context(job.runtime.start_method).Pool(processes, initializer, (job, *arguments)) as workers:
        yield workers
        workers.close()
        workers.join()
