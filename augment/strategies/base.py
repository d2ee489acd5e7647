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


@dataclass
class Strategy(ABC):
    """How `job.workers` processes carry a workload out. A strategy's fields are its options on the
    command line; it differs from the others in how tasks and pixels travel, and in nothing else.
    What a report needs to know of it stands on its class."""

    name: ClassVar[str]
    label: ClassVar[str]  # what people call it
    color: ClassVar[str | None] = None  # the same in every chart; None: one of the spare ones
    marker: ClassVar[str] = "v"
    sends_pixels: ClassVar[bool] = False  # from the master, which reads all images, to the workers
    queues_outputs: ClassVar[bool] = False  # in a process of its own, all of them at worst
    bytes_per_worker: ClassVar[int] = 0  # held beside the images
    # It measures the machine, not a way to be done sooner: each worker carries out all tasks and saves to a
    # folder of its own, the first one to that of the job.
    instrument: ClassVar[bool] = False
    # A worker that dies is replaced, and what it had in hand is done again.
    replaces_workers: ClassVar[bool] = False
    complete: ClassVar[bool] = True  # False: carries out only some of the tasks, any of them several times

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        """Why this strategy does not apply to these settings; None where it does."""
        return None

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
