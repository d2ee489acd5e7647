"""An instrument that measures how much its neighbours slow a task down, and by which resource."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from augment.strategies.base import Strategy, master, run_workers
from augment.strategies.instruments.copies import separate_outputs
from augment.strategies.instruments.neighbours import IDLE, NEIGHBOURS, STREAMED_BYTES, Turn, do_turns
from augment.task_runner import TaskRunner
from augment.workload import Job, Task

ROUNDS = 3
BLOCK_S = 0.25  # target length of the tasks in a turn
SETTLE_S = 0.1  # pause after the neighbours have begun a turn


@dataclass
class Interference(Strategy):
    """One worker, the subject, repeats a block of tasks in turns beside neighbours that do one thing.

    A round has a turn beside each of NEIGHBOURS, and a second one beside idle ones, in shuffled order.
    All turns of a round do the same block of tasks, so that equal work is compared within seconds.
    Another round has another block. (After Bubble-Up, MICRO 2011, and duet benchmarking, ICPE 2020.)
    """

    name = "interference"
    instrument = True
    bytes_per_worker = STREAMED_BYTES
    complete = False

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers > 1 else "interference needs a neighbour: workers=1 does not apply"

    def run(self, job: Job) -> None:
        with master(job), separate_outputs(job) as [subject, *others]:
            neighbours = [replace(other, trace=False) for other in others]
            pipes = [job.runtime.context.Pipe() for _ in neighbours]
            run_workers([subject, *neighbours], _work, pipes)


def _work(runner: TaskRunner, number: int, pipes: list[tuple[Any, Any]]) -> None:
    if number == 0:
        _lead_turns(runner, [subject_end for subject_end, _ in pipes])
    else:
        do_turns(runner, number, pipes[number - 1][1])


def _lead_turns(runner: TaskRunner, neighbours: Sequence[Connection[Turn | None, None]]) -> None:
    random_order = random.Random()  # other blocks and orders in each trial
    tasks = [*runner.job.workload.tasks()]
    random_order.shuffle(tasks)
    runner.run_tasks(tasks[:1])  # warms up
    _begin_turn(neighbours, (IDLE, []))  # when the neighbours have warmed up too
    size = _block_size(runner, tasks)
    for number in range(ROUNDS):
        block = sorted(random_order.sample(tasks, size))
        for mode in random_order.sample([IDLE, *NEIGHBOURS], len(NEIGHBOURS) + 1):  # idle twice
            _begin_turn(neighbours, (mode, block))
            time.sleep(SETTLE_S)
            runner.log.begin_turn(number, mode)
            runner.run_tasks(block)
    for neighbour in neighbours:
        neighbour.send(None)


def _block_size(runner: TaskRunner, tasks: Sequence[Task]) -> int:
    """Run tasks for BLOCK_S and return how many that are."""
    end = time.monotonic() + BLOCK_S
    for size, _done in enumerate(runner.iter_tasks(tasks), 1):
        if time.monotonic() >= end:
            return size
    return len(tasks)


def _begin_turn(neighbours: Sequence[Connection[Turn | None, None]], turn: Turn) -> None:
    """Return when every neighbour works on the turn and has finished its burst of the turn before."""
    for neighbour in neighbours:
        neighbour.send(turn)
    for neighbour in neighbours:
        neighbour.recv()
