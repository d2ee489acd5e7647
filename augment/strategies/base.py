"""The contract of a strategy, and the pool that the study's strategies share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import Pool

from augment.log import Role
from augment.processes import context
from augment.task import Bench, open_bench
from augment.workload import Job


@dataclass
class Strategy(ABC):
    """How `job.workers` processes carry a workload out. A strategy's fields are its knobs on the
    command line; it differs from the others in how tasks and pixels travel, and in nothing else."""

    def check(self) -> None:
        """Raises KnobError where one of its knobs cannot work."""
        return None

    def obstacle(self, workers: int, saving: bool) -> str | None:
        """Why this strategy does not apply to these settings; None where it does."""
        return None

    @abstractmethod
    def run(self, job: Job) -> None:
        """Carries out every task of the workload. Returns when the last output is complete on
        disk and every process started here has ended; the call is the timed region."""


@contextmanager
def master(job: Job) -> Iterator[Bench]:
    """The bench of the process that calls `run`, where it only reads and deals out."""
    bench = Bench(job, Role.MASTER)
    yield bench
    bench.leave()


@contextmanager
def pool(
    job: Job, processes: int, initializer: Callable[..., None] = open_bench, *arguments: object
) -> Iterator[Pool]:
    """`multiprocessing.Pool` whose processes have opened their bench; ended without haste, so that
    each completes its log."""
    arguments = arguments or (Role.WORKER,)
    with context(job.runtime.start_method).Pool(processes, initializer, (job, *arguments)) as workers:
        yield workers
        workers.close()
        workers.join()
