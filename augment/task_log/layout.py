"""The layout of a log, which each process or working thread keeps.

A header tells about the process and the task under way. Blocks of finished tasks follow: each is a pickled
tuple of all names so far, an array of doubles for each of ROW_KINDS, and lists of Turn and Note. `writer`
keeps a log, `reader` reads it.
"""

import struct
from enum import IntEnum
from typing import Any, NamedTuple

STAGES = ("read", "transform", "send", "encode", "write")
# Fields of a task: its times by the clock, the seconds of its stages, and its wait for files therein.
TASK = ("image_index", "augmentation_index", "start", "end", *STAGES, "file_wait")
# Of consecutive tasks together: their number, and what the kernel counted meanwhile.
BATCH = ("tasks", "cpu_user_s", "cpu_system_s", "minor_faults", "run_queue_wait_s")
SAMPLE = ("task", "name", "seconds")  # of a timed transform: its task and name in the log
ROW_KINDS = (SAMPLE, BATCH, TASK)  # in the order of a block
SHORT_TASK_S = 5e-3  # shorter tasks share a reading of the counters, and few of them have transforms timed
SAMPLING_STEP = 16  # of this many tasks that follow a short one, one has its transforms timed
READING = -1  # augmentation index of an entry in which a master only reads an image
BETWEEN_TASKS, IN_TASK, DECODING = range(3)  # values of Header.under_way


Role = IntEnum("Role", ["MASTER", "WORKER", "SAVER", "MANAGER"])  # the part that a process has in a trial


class Header(NamedTuple):
    """A process of a trial, or a working thread; its last seven fields are complete once it has ended."""

    under_way: int  # BETWEEN_TASKS, or IN_TASK or DECODING in the middle of the task that the next two name
    image_index: int
    augmentation_index: int
    finished: int  # tasks so far
    pid: int
    thread: int  # native id of the thread that does the work; the pid for the main one
    role: Role
    opencv_threads: int
    peak_rss_bytes: int
    ready: float  # when it began to work
    ended: float  # when it ended of its own accord; 0 if it did not
    cpu_user_s: float
    cpu_system_s: float
    shift_s: float = 0.0  # by which the clock of the trial's master is ahead of this process's
    node: bytes = b""  # name of the node of a cluster that it ran on; empty on the master's own machine

    @property
    def process(self) -> tuple[bytes, int]:
        """Return node and pid, which tell processes of all nodes apart."""
        return self.node, self.pid

    @property
    def unfinished_task(self) -> tuple[int, int] | None:
        """Return the task in whose middle the process is or ended, if there is one."""
        return (self.image_index, self.augmentation_index) if self.under_way else None


class Turn(NamedTuple):
    """Consecutive tasks of a log beside one kind of neighbours: see `strategies.instruments.interference`."""

    round: int
    neighbour: str
    first_task: int  # position of its first task in the log


class Note(NamedTuple):
    """A remark on an input: the reason why it is bad, or a warning."""

    image_index: int
    text: str
    is_bad: bool


HEADER = struct.Struct("<9q5d64s")


def is_sampled(image_index: Any, augmentation_index: Any) -> Any:
    """Return whether a task that follows a short one has its transforms timed, for numbers or arrays."""
    return (7 * image_index + augmentation_index) % SAMPLING_STEP == 0
