"""An instrument that measures how much its neighbours slow a task down, and by which resource."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from augment.strategies.base import Strategy, master, run_processes
from augment.strategies.instruments.copies import Tasks, own_outputs
from augment.strategies.instruments.neighbours import IDLE, NEIGHBOURS, STREAMED_BYTES, do_turns
from augment.task_log.layout import Role
from augment.task_log.processes import context
from augment.task_runner import do_tasks, open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from augment.strategies.instruments.neighbours import Turn

    Neighbours = Sequence[Connection[Turn | None, None]]

ROUNDS = 3
BLOCK_S = 0.25  # target length of the tasks in a turn
SETTLE_S = 0.1  # pause after the neighbours have begun a turn
GOLDEN = (5**0.5 - 1) / 2


@dataclass
class Interference(Strategy):
    """One worker, the subject, repeats a block of tasks in turns beside neighbours that do one thing.

    A round has a turn beside each of NEIGHBOURS, and a second one beside idle ones, in shuffled order.
    All turns of a round do the same block of tasks, so that equal work is compared within seconds.
    Another round has another block. (After Bubble-Up, MICRO 2011, and duet benchmarking, ICPE 2020.)
    """

    name: ClassVar[str] = "interference"
    label: ClassVar[str] = "interference"
    marker: ClassVar[str] = "X"
    instrument: ClassVar[bool] = True
    bytes_per_worker: ClassVar[int] = STREAMED_BYTES
    complete: ClassVar[bool] = False

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers > 1 else "interference needs a neighbour: workers=1 does not apply"

    def run(self, job: Job) -> None:
        start = context(job.runtime.start_method)
        with master(job), own_outputs(job) as [own, *others]:
            pipes = [start.Pipe() for _ in others]
            neighbours = [
                start.Process(target=do_turns, args=(other, number, end))
                for number, (other, (_, end)) in enumerate(zip(others, pipes, strict=True), 1)
            ]
            subject = start.Process(target=_subject, args=(own, [end for end, _ in pipes]))
            run_processes([subject, *neighbours])


def _subject(job: Job, neighbours: Neighbours) -> None:
    open_task_runner(job, Role.WORKER)
    tasks = spread(list(job.workload.tasks()))
    do_tasks(task_runner(), tasks[:1])  # warms up
    _begin_turn(neighbours, (IDLE, []))  # when the neighbours have warmed up too
    size, random_order = _block_size(tasks), random.Random()  # other blocks and orders in each trial
    for number in range(ROUNDS):
        begin = random_order.randrange(len(tasks))
        block = sorted(tasks[(begin + place) % len(tasks)] for place in range(size))
        for mode in random_order.sample([IDLE, *NEIGHBOURS], len(NEIGHBOURS) + 1):  # idle twice
            _begin_turn(neighbours, (mode, block))
            time.sleep(SETTLE_S)
            task_runner().begin_turn(number, mode)
            do_tasks(task_runner(), block)
    for neighbour in neighbours:
        neighbour.send(None)


def spread(tasks: Tasks) -> Tasks:
    """Return the tasks in an order in which any run of them covers images and augmentations evenly."""
    n = len(tasks)
    stride = next(size for size in count(max(1, round(GOLDEN * n))) if gcd(size, n) == 1)
    return [tasks[number * stride % n] for number in range(n)]


def _block_size(tasks: Tasks) -> int:
    """Run tasks for BLOCK_S and return how many that are."""
    end = time.monotonic() + BLOCK_S
    for size, task in enumerate(tasks, 1):
        do_tasks(task_runner(), [task])
        if time.monotonic() >= end:
            return size
    return len(tasks)


def _begin_turn(neighbours: Neighbours, turn: Turn) -> None:
    """Return when every neighbour works on the turn and has finished its burst of the turn before."""
    for neighbour in neighbours:
        neighbour.send(turn)
    for neighbour in neighbours:
        neighbour.recv()
