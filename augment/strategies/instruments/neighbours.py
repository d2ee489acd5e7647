"""The neighbours of an interference trial: idle, at the same work, or at a load on one resource."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from multiprocessing.connection import Connection

from augment.strategies.instruments.copies import rotate
from augment.task_runner import TaskRunner
from augment.workload import Task

IDLE, COPIES = "idle", "copies"
NEIGHBOURS = (IDLE, COPIES, "spinners", "streamers", "mappers")  # their names in the records
Turn = tuple[str, Sequence[Task]]  # one of NEIGHBOURS, and the tasks of the subject

SPIN_SUMS = 200
STREAMED_BYTES = 192 * 1024 * 1024  # of a neighbour, in two arrays: far more than most last caches
SLICE_BYTES = 8 * 1024 * 1024  # of each array in a burst
MAPPED_BYTES = 24 * 1024 * 1024


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
