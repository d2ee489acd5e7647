"""What company costs: replicas that work alone and together by turns, and probes of the machine too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from augment.recording.log import PROBING, Role
from augment.recording.processes import context
from augment.strategies.base import Strategy, master
from augment.strategies.instruments.probes import COPIED_BYTES, PROBES
from augment.strategies.instruments.replicas import Replica
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

    from augment.strategies.instruments.probes import Load

ROUNDS = 30  # at least, where there are tasks enough
Tasks = Sequence[tuple[int, int]]


@dataclass
class Turns(Strategy):
    """Not a way to be done sooner, but to see what the replicas take from each other: one works alone,
    then all together, then the next one alone. A task in company and one alone are fractions of a
    second apart, so that what slows the machine from one minute to the next falls on both alike
    (Bulej et al., Duet Benchmarking, ICPE 2020). After the workload's turn each of PROBES has its own:
    what tells the causes of the workload's inflation apart is of the same moment."""

    name: ClassVar[str] = "turns"
    label: ClassVar[str] = "turns"
    instrument: ClassVar[bool] = True

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """Also what each worker's probe of the memory copies."""
        return super().memory_bytes(workers, image_bytes, n_augmentations) + workers * COPIED_BYTES

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers > 1 else "turns compares one worker with several: workers=1 does not apply"

    def run(self, job: Job) -> None:
        start = context(job.runtime.start_method)
        barrier = start.Barrier(job.workers)
        dealt = rounds(list(job.workload.tasks()), job.workers)
        with master(job):
            replicas = [
                start.Process(target=_take_turns, args=(job, number, dealt, barrier))
                for number in range(job.workers)
            ]
            for replica in replicas:
                replica.start()
            for replica in replicas:
                replica.join()


def rounds(tasks: Tasks, workers: int) -> list[list[Tasks]]:
    """The tasks in equal rounds of `workers` + 1 parts: first that of the one that works alone, then
    that of each in company. Neighbours among the tasks go to different parts."""
    parts = workers + 1
    size = parts * max(1, len(tasks) // (ROUNDS * parts))
    return [
        [tasks[begin : begin + size][part::parts] for part in range(parts)]
        for begin in range(0, len(tasks), size)
    ]


def _take_turns(job: Job, number: int, dealt: list[list[Tasks]], barrier: Barrier) -> None:
    open_task_runner(job, Role.WORKER)
    replica = Replica()
    loads = [prepared() for prepared in PROBES.values()]
    for turn, (alone, *together) in enumerate(dealt):
        mine = turn % job.workers == number
        barrier.wait()
        if mine:
            replica.work(alone)
        barrier.wait()
        replica.work(together[number])
        for index, load in enumerate(loads):
            order = (mine, True) if turn % 2 else (True, mine)  # who comes second finds things in place
            for runs in order:
                barrier.wait()
                if runs:
                    _probe(index, load)


def _probe(index: int, load: Load) -> None:
    with task_runner().task(0, PROBING - index) as runner:
        runner.probe(load)
