"""The machine's ceiling: every worker carries out the same tasks, and none has to wait for another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from augment.filesystem import remove_folder
from augment.strategies.base import Strategy, master, run_processes
from augment.task_log.layout import Role
from augment.task_log.processes import context
from augment.task_runner import do_tasks, open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

Tasks = Sequence[tuple[int, int]]


@dataclass
class Copies(Strategy):
    """Each worker carries out all n tasks as sequential does. They begin together, worker k at task
    k·n / workers, and go round, so that they are at different tasks at any time. What a task takes longer
    here than in sequential the machine takes, whatever the strategy."""

    name: ClassVar[str] = "copies"
    label: ClassVar[str] = "copies"
    color: ClassVar[str | None] = "#8C510A"
    marker: ClassVar[str] = "P"
    instrument: ClassVar[bool] = True

    def run(self, job: Job) -> None:
        start = context(job.runtime.start_method)
        barrier = start.Barrier(job.workers)
        with master(job), own_outputs(job) as jobs:
            run_processes(
                [start.Process(target=_copy, args=(own, number, barrier)) for number, own in enumerate(jobs)]
            )


def _copy(job: Job, number: int, barrier: Barrier) -> None:
    open_task_runner(job, Role.WORKER)
    barrier.wait()
    do_tasks(task_runner(), going_round(list(job.workload.tasks()), number, job.workers))


@contextmanager
def own_outputs(job: Job) -> Iterator[list[Job]]:
    """The job for each of its workers, where several carry out the same task: the first saves where the job
    says, each other one in a folder of its own below that, which is removed afterwards."""
    output = job.workload.output
    if output is None:
        yield [job] * job.workers
        return
    folders = [output / f".copy-{number}" for number in range(1, job.workers)]
    for folder in folders:
        folder.mkdir()
    yield [replace(job, workload=replace(job.workload, output=folder)) for folder in (output, *folders)]
    for folder in folders:
        remove_folder(folder)


def going_round(tasks: Tasks, number: int, workers: int) -> list[tuple[int, int]]:
    """All the tasks in the order of worker `number`: those before its begin come last."""
    begin = number * len(tasks) // workers
    return [*tasks[begin:], *tasks[:begin]]
