"""Each process's own log of its tasks, and the only clock in this package.

A log is a small file: a memory-mapped header about the process and the task it has in hand, then blocks
of tasks as they were kept. The header survives a SIGKILL of its writer, so that whoever watches a trial
can tell on which task a process died. What the tasks took is worked out by augment.recording.log_reader, when
nothing is timed any more."""

from __future__ import annotations

import mmap
import os
import pickle
import resource
import struct
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from augment.recording.counters import Counters, Used

HEADER_FIELDS = {
    **dict.fromkeys(("under_way", "image_index", "augmentation_index"), "q"),  # the task in hand
    **{"pid": "q", "role": "q", "ready": "d", "left": "d"},
    **dict.fromkeys(("opencv_threads", "os_threads", "peak_rss_bytes"), "q"),
}
STAGES = ("read", "transform", "send", "encode", "write")
HEADER = struct.Struct("<" + "".join(HEADER_FIELDS.values()))
LENGTH = struct.Struct("<q")  # of a block's pickle, before it
UNDER_WAY, IMAGE, AUGMENTATION = range(3)  # words of the header
KEPT = 256  # tasks in a block
BACK_TO_BACK_S = 1e-4  # between tasks, within which the counters read in one serve the next
SHORT_S = 5e-3  # what is dear to read is read that often at most: of shorter tasks several share counters,
SAMPLED = 16  # and one in so many, the same ones in every process, has its transforms timed
Transforms = list[tuple[str, float]]  # name, seconds
Kept = list[float]  # a task: image, augmentation, start; then for each lap its stage and its end
Batch = tuple[int, Used | None]  # so many tasks took that together; None: what those before them take
Block = tuple[list[Kept], list[Batch], dict[int, Transforms]]  # the last: of which task, by its place
# Augmentation indices of entries that are no task: a master only reads an image; a probe runs, and so
# for each of them, PROBING - 0, PROBING - 1, …
READING, PROBING = -1, -2


class Role(IntEnum):
    """What a process of a trial is there for."""

    MASTER = 0
    WORKER = 1
    SAVER = 2
    MANAGER = 3


class Log:
    """One process's log. `lap(stage)` charges the time since the last lap to a stage, so that the
    stages of a task fill it without gaps. Without `recording` only the header is kept.

    The task in hand is always in the header; entries are kept in memory and written now and then, so
    that a task costs no more than its clock and counters. Tasks that follow each other within SHORT_S
    share what the counters say of them by their seconds; those after which the process paused before
    they were read take the rates of the tasks before. Raises OSError where the disk is full."""

    def __init__(
        self, folder: Path, role: Role, recording: bool = True, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.role, self.recording, self.clock = role, recording, clock
        path = folder / f"{os.getpid()}.log"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Room first: a write to a map that the disk cannot hold would kill the process (SIGBUS).
        os.posix_fallocate(self._file, 0, HEADER.size)
        self._map = mmap.mmap(self._file, HEADER.size)
        self._words = memoryview(self._map).cast("q")
        self._written = HEADER.size
        self._kept: list[Kept] = []
        self._batches: list[Batch] = []
        self._applied: dict[int, Transforms] = {}
        self._closed = 0  # tasks in _kept before those done since the counters were read
        self._counted = self._ended = -SHORT_S  # when that was, and when the last task ended
        self._took = SHORT_S
        self.timing = False  # whether the transforms of the task in hand are to be timed
        self._counters = Counters()

    def ready(self, opencv_threads: int, os_threads: int) -> None:
        """Enters the header: this process begins to work now."""
        self._header = [0, 0, 0, os.getpid(), self.role, self.clock(), 0.0, opencv_threads, os_threads, 0]
        HEADER.pack_into(self._map, 0, *self._header)

    def leave(self) -> None:
        """Completes the log: this process ends of its own accord, with this peak memory."""
        self._write()
        peak_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        left = dict(zip(HEADER_FIELDS, self._header, strict=True))
        left |= {"left": self.clock(), "peak_rss_bytes": peak_rss_bytes}
        HEADER.pack_into(self._map, 0, *left.values())

    def begin(self, image_index: int, augmentation_index: int) -> None:
        """A task begins."""
        if not self.recording:
            return
        words = self._words
        words[IMAGE], words[AUGMENTATION], words[UNDER_WAY] = image_index, augmentation_index, 1
        self.timing = timing = self._took >= SHORT_S or augmentation_index % SAMPLED == 0
        if timing:
            self._applied[len(self._kept)] = []
        start = self.clock()
        self._entry = [image_index, augmentation_index, start]
        self._paused = paused = start - self._ended > BACK_TO_BACK_S
        if paused:
            self._close(None)
            self._counters.used()

    def lap(self, stage: int) -> None:
        """The time since the last lap was spent in that stage (an index into STAGES)."""
        if self.recording:
            self._entry += (stage, self.clock())

    def transformed(self, name: str, begin: float) -> None:
        """A transform of that name was applied, from `begin` until now."""
        self._applied[len(self._kept)].append((name, self.clock() - begin))

    def end(self) -> None:
        """The task is done."""
        if not self.recording:
            return
        entry = self._entry
        self._kept.append(entry)
        self._ended = ended = entry[-1]
        self._took = ended - entry[2]
        if self._paused or ended - self._counted >= SHORT_S:
            self._close(self._counters.used())
            self._counted = ended
        self._words[UNDER_WAY] = 0
        if len(self._kept) == KEPT:
            self._write()

    def _close(self, counted: Used | None) -> None:
        """The open tasks took what was counted; None: what tasks like those before them take."""
        if size := len(self._kept) - self._closed:
            self._batches.append((size, counted))
            self._closed += size

    def _write(self) -> None:
        if not self._kept:
            return
        self._close(self._counters.used())
        block: Block = self._kept, self._batches, self._applied
        data = pickle.dumps(block, pickle.HIGHEST_PROTOCOL)
        os.posix_fallocate(self._file, self._written, LENGTH.size + len(data))
        os.pwrite(self._file, data, self._written + LENGTH.size)
        os.pwrite(self._file, LENGTH.pack(len(data)), self._written)  # last: now the block is whole
        self._written += LENGTH.size + len(data)
        for done in block:
            done.clear()
        self._closed = 0
