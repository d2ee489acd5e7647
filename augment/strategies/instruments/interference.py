"""An instrument that measures how much its neighbours slow a task down, and by which resource."""

from __future__ import annotations

import mmap
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from multiprocessing.connection import Connection
from typing import Any

from augment.strategies.base import Strategy, master, run_workers
from augment.strategies.instruments.copies import rotate, separate_outputs
from augment.task_runner import TaskRunner
from augment.workload import Job, Task

IDLE, COPIES = "idle", "copies"
NEIGHBOURS = (IDLE, COPIES, "spinners", "streamers", "mappers")  # their names in the records
Turn = tuple[str, Sequence[Task]]  # one of NEIGHBOURS, and the tasks of the subject

SPIN_SUMS = 200
STREAMED_BYTES = 192 * 1024 * 1024  # of a neighbour, in two arrays: far more than most last caches
SLICE_BYTES = 8 * 1024 * 1024  # of each array in a burst
MAPPED_BYTES = 24 * 1024 * 1024

ROUNDS = 3
BLOCK_S = 0.25  # target length of the tasks in a turn
SETTLE_S = 0.1  # pause after the neighbours have begun a turn


@dataclass
class Interference(Strategy):
    """A worker, the subject, that repeats a block of tasks in turns beside neighbours that do one thing.

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


def do_turns(runner: TaskRunner, number: int, subject: Connection[None, Turn | None]) -> None:
    """Follow the turns of the subject until it sends None. An error in any turn is the trial's fault."""
    loads = dict(zip(NEIGHBOURS[2:], (_spin, _streamer(), _map_pages), strict=True))
    first = runner.job.workload.task(0)
    runner.run_tasks([first])  # warms up
    while turn := subject.recv():
        mode, block = turn
        copies = runner.iter_tasks(cycle(rotate(block, number, runner.job.workers)))
        burst = (loads | {IDLE: partial(subject.poll, None), COPIES: partial(next, copies)})[mode]
        subject.send(None)
        with runner.task(*first):  # reports an error in a burst
            while not subject.poll():
                burst()


def _spin() -> None:
    """Load the core's execution units and its clock: compute in the first cache."""
    for _time in range(SPIN_SUMS):
        sum(range(1000))


def _streamer() -> Callable[[], object]:
    """Return a load on memory bandwidth and the last cache: a copy between arrays touched beforehand.

    A plain copy may go past the caches and spare itself a third of the traffic; a scaled one does not.
    """
    import numpy as np

    source, target = (np.ones(STREAMED_BYTES // 2 // 8) for _ in range(2))
    size = SLICE_BYTES // 8
    begins = cycle(range(0, len(source), size))

    def stream() -> None:
        begin = next(begins)
        np.multiply(source[begin : begin + size], 1.5, out=target[begin : begin + size])

    return stream


def _map_pages() -> None:
    """Load the kernel's page-fault path: touch and return fresh pages as malloc maps them."""
    import numpy as np

    with mmap.mmap(-1, MAPPED_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as fresh:
        pages = np.frombuffer(fresh, np.uint8)[:: mmap.PAGESIZE]
        pages[:] = 1
        del pages  # a map cannot be closed while an array refers to it
