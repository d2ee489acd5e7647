"""The machine's ceiling: every worker carries out all tasks, and none has to wait for another."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier

from augment.strategies.base import Strategy, master, run_workers
from augment.task_runner import TaskRunner
from augment.workload import Job, Task


@dataclass
class Copies(Strategy):
    """Workers that each carry out all n tasks as `sequential` does.

    They begin together, worker k at task k·n / workers, so that they are at different tasks at any time.
    Any slowdown relative to `sequential` is caused by the machine.
    """

    name = "copies"
    instrument = True

    def run(self, job: Job) -> None:
        barrier = job.runtime.context.Barrier(job.workers)
        with master(job), separate_outputs(job) as jobs:
            run_workers(jobs, _work, barrier)


def _work(runner: TaskRunner, number: int, barrier: Barrier) -> None:
    barrier.wait()
    runner.run_tasks(rotate(list(runner.job.workload.tasks()), number, runner.job.workers))


@contextmanager
def separate_outputs(job: Job) -> Iterator[list[Job]]:
    """Yield each worker's job: all but the first save below its folder, where they are removed at the end."""
    output = job.workload.output
    if output is None:
        yield [job] * job.workers
        return
    folders = [output / f".copy-{number}" for number in range(1, job.workers)]
    jobs = [replace(job, workload=replace(job.workload, output=folder)) for folder in (output, *folders)]
    for each in jobs:
        each.workload.make_folders()
    yield jobs
    for folder in folders:
        shutil.rmtree(folder)


def rotate(tasks: Sequence[Task], number: int, workers: int) -> list[Task]:
    """Return the tasks in the order of worker `number`: those before its begin come last."""
    begin = number * len(tasks) // workers
    return [*tasks[begin:], *tasks[:begin]]
