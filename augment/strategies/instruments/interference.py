"""What slows a task down beside neighbours: the same tasks again and again, while the neighbours take now
this resource of the machine and now that."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from math import gcd
from typing import TYPE_CHECKING, ClassVar

from augment.recording.log import MARKER, Role
from augment.recording.log_writer import BACK_TO_BACK_S
from augment.recording.processes import context
from augment.strategies.base import Strategy, master, run_processes
from augment.strategies.instruments.copies import Tasks, own_outputs
from augment.strategies.instruments.neighbours import IDLE, NEIGHBOURS, STREAMED_BYTES, do_turns
from augment.task_runner import do_tasks, open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from augment.strategies.instruments.neighbours import Turn

    Neighbours = Sequence[Connection[Turn | None, None]]

ROUNDS = 3
BLOCK_S = 0.25  # about, of tasks in a turn
SETTLE_S = 0.1  # from when all neighbours have taken a turn up until the subject begins
GOLDEN = (5**0.5 - 1) / 2


@dataclass
class Interference(Strategy):
    """One worker, the subject, repeats a block of tasks in turns; meanwhile all its neighbours do the same
    one of NEIGHBOURS. A round has a turn beside each of these, and two beside idle ones, in shuffled order
    and over one block, so that what is compared is the same work within seconds. (After
    Bubble-Up, MICRO 2011, and duet benchmarking, ICPE 2020.) Each round has a block of its own."""

    name: ClassVar[str] = "interference"
    label: ClassVar[str] = "interference"
    marker: ClassVar[str] = "X"
    instrument: ClassVar[bool] = True
    complete: ClassVar[bool] = False

    def not_applicable(self, workers: int, saving: bool) -> str | None:
        return None if workers > 1 else "interference needs a neighbour: workers=1 does not apply"

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """Also what each neighbour streams."""
        return super().memory_bytes(workers, image_bytes, n_augmentations) + (workers - 1) * STREAMED_BYTES

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
    _take_up(neighbours, (IDLE, []))  # when they have warmed up too
    size, drawn = _block_size(tasks), random.Random()  # another trial has other blocks in another order
    for number in range(ROUNDS):
        begin = drawn.randrange(len(tasks))
        block = sorted(tasks[(begin + place) % len(tasks)] for place in range(size))
        for mode in drawn.sample([IDLE, *NEIGHBOURS], len(NEIGHBOURS) + 1):  # idle twice
            time.sleep(2 * BACK_TO_BACK_S)  # or the last tasks would share their CPU seconds with the marker
            with task_runner().task(number, MARKER - NEIGHBOURS.index(mode)) as marker:
                marker.send(_Settled(neighbours), (mode, block))
            do_tasks(task_runner(), block)
    for neighbour in neighbours:
        neighbour.send(None)


def spread(tasks: Tasks) -> Tasks:
    """The tasks in an order in which those that follow each other are far apart, and any run of them is
    spread evenly over all images and augmentations."""
    n = len(tasks)
    stride = next(size for size in count(max(1, round(GOLDEN * n))) if gcd(size, n) == 1)
    return [tasks[number * stride % n] for number in range(n)]


def _block_size(tasks: Tasks) -> int:
    """How many of the tasks take about BLOCK_S, by doing them."""
    end = time.monotonic() + BLOCK_S
    for size, task in enumerate(tasks, 1):
        do_tasks(task_runner(), [task])
        if time.monotonic() >= end:
            return size
    return len(tasks)


@dataclass(frozen=True)
class _Settled:
    """The neighbours as a queue: a turn that is put has been taken up by all of them for SETTLE_S."""

    neighbours: Neighbours

    def put(self, turn: Turn) -> None:
        _take_up(self.neighbours, turn)
        time.sleep(SETTLE_S)


def _take_up(neighbours: Neighbours, turn: Turn) -> None:
    """Returns when each neighbour is at work on the turn, and the burst that it had in hand is done."""
    for neighbour in neighbours:
        neighbour.send(turn)
    for neighbour in neighbours:
        neighbour.recv()
