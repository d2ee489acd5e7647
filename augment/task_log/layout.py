"""What is in a log, which every process keeps, or each of its working threads: a header about the process
and the task under way, then blocks of finished tasks, each as plain numbers. `log_writer` keeps a log,
`log_reader` reads it."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, NamedTuple

STAGES = ("read", "transform", "send", "encode", "write")
# Doubles of a task: stages in seconds, and for how many of them it waited for files.
TASK = ("image_index", "augmentation_index", "start", "end", *STAGES, "file_wait")
BATCH = ("tasks", "user_s", "system_s", "faults", "wait_s", "rss_bytes")  # doubles: of these tasks together
SAMPLE = ("task", "name", "seconds")  # doubles of a timed transform: task in the block, name in the log
KINDS = (SAMPLE, BATCH, TASK)  # of rows in a block, in their order
# Before a block, in bytes or items: names of transforms not seen before, samples, batches, tasks.
# Written after the block, and the tasks last of all: a block without them is not complete.
BLOCK = struct.Struct("<4q")
SHORT_S = 5e-3  # shorter tasks share a reading of the counters, and few of them have transforms timed
SAMPLED = 16  # one in so many of the tasks that follow a short one, the same tasks in every process
READING = -1  # augmentation index of an entry in which a master only reads an image


class Role(IntEnum):
    """What a process of a trial is there for."""

    MASTER = 0
    WORKER = 1
    SAVER = 2
    MANAGER = 3


class Header(NamedTuple):
    """A process of a trial, or a working thread; what it used, once it has ended of its own accord."""

    under_way: int  # 1 while the process is in the middle of the task that the next two name
    image_index: int
    augmentation_index: int
    pid: int
    thread: int  # of that process, which does the work: its native id, the pid for the main one
    role: Role
    opencv_threads: int
    os_threads: int
    peak_rss_bytes: int
    ready: float  # when it began to work
    ended: float  # when it ended of its own accord; 0 if it did not
    cpu_user_s: float
    cpu_system_s: float
    shift_s: float = 0.0  # what the clock of the trial's master is ahead of this process's
    node: bytes = b""  # name of the node of a cluster that it ran on; empty on the master's own machine

    @property
    def process(self) -> tuple[bytes, int]:
        """What tells it from the processes of other nodes."""
        return self.node, self.pid

    @property
    def unfinished_task(self) -> tuple[int, int] | None:
        """The task that was under way, if the process is or ended in the middle of one."""
        return (self.image_index, self.augmentation_index) if self.under_way else None


class Turn(NamedTuple):
    """Consecutive tasks of a log beside one kind of neighbours: see `strategies.instruments.interference`."""

    round: int
    neighbour: str
    first_task: int  # position of its first task in the log


HEADER = struct.Struct("<9q5d64s")


def is_sampled(image_index: Any, augmentation_index: Any) -> Any:
    """Whether a task has its transforms timed although it follows a short one, for numbers or arrays."""
    return (7 * image_index + augmentation_index) % SAMPLED == 0
