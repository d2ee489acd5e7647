"""What the neighbours of an interference trial do: nothing, the workload itself, or one of four loads that
each take one resource of the machine."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from augment.strategies.instruments.copies import Tasks, going_round
from augment.task_log.layout import Role
from augment.task_runner import do_tasks, open_task_runner, task_runner, tasks_done
from augment.workload import Job

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

IDLE, COPIES = "idle", "copies"
NEIGHBOURS = (IDLE, COPIES, "spinners", "streamers", "mappers", "writers")  # their names in the records
Turn = tuple[str, Tasks]  # one of NEIGHBOURS, and the tasks of the subject
Burst = Callable[[], object]  # some milliseconds of a load

SPINS = 200
STREAMED_BYTES = 192 * 1024 * 1024  # of a neighbour, in two arrays: far more than most last caches
SLICE_BYTES = 8 * 1024 * 1024  # of each array in a burst
MAPPED_BYTES = 24 * 1024 * 1024
FILES, FILE_BYTES = 20, 16 * 1024


def do_turns(job: Job, number: int, subject: Connection[None, Turn | None]) -> None:
    """Does what each turn of the subject says until the next one comes; None is the end. Keeps no log of
    tasks, but an error in any turn is the trial's fault."""
    open_task_runner(replace(job, trace=False), Role.WORKER)
    loads = loads_of(job.workload.output)
    do_tasks(task_runner(), [(0, 0)])  # warms up
    while turn := subject.recv():
        mode, block = turn
        copies = tasks_done(task_runner(), cycle(going_round(block, number, job.workers)))
        burst = (loads | {IDLE: partial(subject.poll, None), COPIES: partial(next, copies)})[mode]
        subject.send(None)
        with task_runner().task(0, 0):  # reports an error in a burst
            while not subject.poll():
                burst()


def loads_of(folder: Path | None) -> dict[str, Burst]:
    """The four loads after their names. The writers' files go to `folder`; None: the system's."""
    loads = (_spin, _streamer(), _map_pages, partial(_write_files, folder))
    return dict(zip(NEIGHBOURS[2:], loads, strict=True))


def _spin() -> None:
    """Sums in the first cache: takes the core's execution units and its clock."""
    for _time in range(SPINS):
        sum(range(1000))


def _streamer() -> Burst:
    """A scaled copy between arrays that are touched beforehand: takes memory bandwidth and the last cache.
    Scaled, because a plain copy may go past the caches and spare itself a third of the traffic."""
    import numpy as np

    source, target = (np.ones(STREAMED_BYTES // 2 // 8) for _ in range(2))
    size = SLICE_BYTES // 8
    begins = cycle(range(0, len(source), size))

    def stream() -> None:
        begin = next(begins)
        np.multiply(source[begin : begin + size], 1.5, out=target[begin : begin + size])

    return stream


def _map_pages() -> None:
    """Fresh pages as malloc maps them, each touched and given back: takes the kernel's page-fault path."""
    import numpy as np

    with mmap.mmap(-1, MAPPED_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as fresh:
        pages = np.frombuffer(fresh, np.uint8)[:: mmap.PAGESIZE]
        pages[:] = 1
        del pages  # a map cannot be closed while an array refers to it


def _write_files(folder: Path | None) -> None:
    """Small files, made and removed: takes the file system."""
    content = bytes(FILE_BYTES)
    for _time in range(FILES):
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(content)
            file.flush()
