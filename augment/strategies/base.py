"""The contract of a strategy, and how strategies run processes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from augment.task_log.layout import Role
from augment.task_runner import TaskRunner, open_task_runner, task_runner
from augment.workload import Job

# What tasks and multiprocessing would import only in the timed region.
LATE_MODULES = (
    "cv2",
    "numpy.random",
    "multiprocessing.sharedctypes",
    "multiprocessing.popen_spawn_posix",
    "multiprocessing.popen_forkserver",
)


@dataclass
class Strategy(ABC):
    """A way in which `job.workers` processes carry a workload out.

    A strategy's fields are its options on the command line. Strategies differ in how tasks and pixels travel,
    and in nothing else. The class attributes tell reports and forecasts about a strategy.
    """

    name: ClassVar[str]
    label: ClassVar[str] = ""  # in reports; empty: the name
    sends_pixels: ClassVar[bool] = False  # from the master, which reads all images, to the workers
    queues_outputs: ClassVar[bool] = False  # in a process of its own, all of them at worst
    bytes_per_worker: ClassVar[int] = 0  # held beside the images
    package: ClassVar[str | None] = None  # of other people, whose executor it is
    late_modules: ClassVar[tuple[str, ...]] = ()  # that `run` would import beside LATE_MODULES
    # It measures the machine. Each worker carries out all tasks; `separate_outputs` gives it a folder.
    instrument: ClassVar[bool] = False
    complete: ClassVar[bool] = True  # False: carries out only some of the tasks, any of them several times

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        """Return why this strategy does not apply to these settings; None if it does."""
        return None

    @property
    def on_this_machine(self) -> bool:
        """Return whether all workers run on this machine."""
        return True

    def load(self) -> None:
        """Import what `run` would import in the timed region; called once before the clock runs."""
        for module in (*LATE_MODULES, *self.late_modules):
            with suppress(ModuleNotFoundError):  # another version of a library has other inner modules
                import_module(module)

    @abstractmethod
    def run(self, job: Job) -> None:
        """Carry out every task of the workload, or what `instrument` and `complete` say.

        The call is the timed region. It imports no module in this process. It returns when the last output
        is complete on disk and every process that it started has ended.
        """


@contextmanager
def master(job: Job, role: Role = Role.MASTER) -> Iterator[TaskRunner]:
    """Yield the runner of the process that calls `run`."""
    runner = TaskRunner(job, role)
    yield runner
    runner.log.complete()


def run_workers(jobs: Sequence[Job], work: Callable[..., None], *arguments: Any) -> None:
    """Run `work(runner, number, *arguments)` in a new process for each job, and wait for their ends."""
    processes = [
        job.runtime.context.Process(target=_open_and_work, args=(job, number, work, *arguments))
        for number, job in enumerate(jobs)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _open_and_work(job: Job, number: int, work: Callable[..., None], *arguments: Any) -> None:
    open_task_runner(job, Role.WORKER)
    work(task_runner(), number, *arguments)
