"""Each process, or working thread, keeps a log of its tasks, by the only clock of wall time in this package.

The header of a log is memory-mapped and survives a SIGKILL of the process, so that it can be seen on
which task it died. Blocks of finished tasks are written now and then."""

from __future__ import annotations

import mmap
import os
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from threading import get_native_id

from augment.task_log.counters import UNCOUNTED, Counters, Used, peak_rss_bytes, usage
from augment.task_log.layout import BLOCK, HEADER, KINDS, SHORT_S, Header, Role, is_sampled

BLOCK_TASKS = 256
BACK_TO_BACK_S = 1e-4  # between tasks, within which the counters read after one serve the next


class Log:
    """The log of the process or thread that makes it. `lap(stage)` charges the time since the last lap to a
    stage, so that the stages of a task fill it without gaps. Without `recording` only the header is kept.

    The task under way is always in the header; finished ones are kept in memory and written a block at
    a time, so that a task costs no more than its clock and counters. Short tasks that follow each other
    make a batch of SHORT_S or more, which shares one reading of the counters by the tasks' seconds; a
    batch after which the process paused before they were read takes the rates of the one before. Raises
    OSError where the disk is full."""

    def __init__(
        self, folder: Path, role: Role, recording: bool = True, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.role, self.recording, self.clock = role, recording, clock
        path = folder / f"{get_native_id()}.log"
        self._turns = path.with_suffix(".turns")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Room first: a write to a map that the disk cannot hold would kill the process (SIGBUS).
        os.posix_fallocate(self._file, 0, HEADER.size)
        self._map = mmap.mmap(self._file, HEADER.size)
        self._words = memoryview(self._map).cast("q")
        self._written = self._drained = HEADER.size
        self._tasks: list[float] = []
        self._batches: list[float] = []
        self._samples: list[float] = []
        self._in_block = self._in_batches = self._in_blocks_before = 0  # finished tasks
        self._applied: list[float] = []  # samples of the task under way
        self._names: dict[str, int] = {}
        self._new_names: list[str] = []
        # The task under way, or the one before: at first as if that had been long.
        self._task = [0, 0, -2 * SHORT_S, -SHORT_S]
        self._counted = -SHORT_S  # when the last task after which the counters were read ended
        self.timing = False  # whether the transforms of the task under way are to be timed
        self._counters = Counters()

    def ready(self, opencv_threads: int, os_threads: int) -> None:
        """Enters the header: this process begins to work now."""
        facts = os.getpid(), get_native_id(), self.role, opencv_threads, os_threads
        self._header = Header(0, 0, 0, *facts, 0, self.clock(), 0.0, 0.0, 0.0)
        HEADER.pack_into(self._map, 0, *self._header)

    def complete(self) -> None:
        """Completes the log: this process ends of its own accord and has used so much."""
        self._write()
        used = usage()
        header = self._header._replace(
            ended=self.clock(),
            cpu_user_s=used.ru_utime,
            cpu_system_s=used.ru_stime,
            peak_rss_bytes=peak_rss_bytes(),
        )
        HEADER.pack_into(self._map, 0, *header)

    def drain(self) -> tuple[bytes, bytes]:
        """Complete the log for now; return its header and the blocks written since the last call."""
        self.complete()
        begin, self._drained = self._drained, self._written
        return bytes(self._map), os.pread(self._file, self._written - begin, begin)

    def begin(self, image_index: int, augmentation_index: int) -> None:
        """A task begins."""
        if not self.recording:
            return
        words = self._words
        words[1], words[2], words[0] = image_index, augmentation_index, 1  # as Header has them
        before = self._task
        ended = before[3]
        self.timing = timing = ended - before[2] >= SHORT_S or is_sampled(image_index, augmentation_index)
        if timing:
            self._applied = []
        start = self.clock()
        self._task = [image_index, augmentation_index, start, start, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        self._paused = paused = start - ended > BACK_TO_BACK_S
        if paused:
            self._close(None)
            self._counters.used()

    def begin_turn(self, number: int, neighbour: str) -> None:
        """Record that the next tasks are of round `number` and run beside this kind of neighbours."""
        if self.recording:
            with open(self._turns, "a", encoding="utf-8") as file:
                file.write(f"{number} {neighbour} {self._in_blocks_before + self._in_block}\n")

    def lap(self, stage: int, cpu_s: float | None = None) -> None:
        """The time since the last lap was spent in that stage (an index into STAGES). Where it worked on a
        file, `cpu_s` is how much of that it had a CPU; the rest is its wait for the file."""
        if self.recording:
            task, now = self._task, self.clock()
            task[4 + stage] += (seconds := now - task[3])
            task[3] = now
            if cpu_s is not None:
                task[-1] += max(0.0, seconds - cpu_s)

    def transformed(self, name: str, begin: float) -> None:
        """A transform of that name was applied, from `begin` until now."""
        seconds = self.clock() - begin
        if name not in self._names:
            self._names[name] = len(self._names)
            self._new_names.append(name)
        self._applied += (self._in_block, self._names[name], seconds)

    def end(self) -> None:
        """The task is done."""
        if not self.recording:
            return
        task = self._task
        ended = task[3]
        self._tasks += task
        if self.timing:
            self._samples += self._applied
        self._in_block += 1
        if self._paused or ended - self._counted >= SHORT_S:
            self._close(self._counters.used())
            self._counted = ended
        self._words[0] = 0
        if self._in_block == BLOCK_TASKS:
            self._write()

    def _close(self, counted: Used | None) -> None:
        """The batch took what was counted; None: what tasks like those before it take."""
        if in_batch := self._in_block - self._in_batches:
            self._batches += (in_batch, *(counted or UNCOUNTED))
            self._in_batches += in_batch

    def _write(self) -> None:
        if not self._in_block:
            return
        self._close(self._counters.used())
        names = "".join(f"{name}\n" for name in self._new_names).encode()
        numbers = self._samples, self._batches, self._tasks
        data = names + b"".join(array("d", each).tobytes() for each in numbers)
        sizes = (len(each) // len(fields) for each, fields in zip(numbers, KINDS, strict=True))
        os.posix_fallocate(self._file, self._written, BLOCK.size + len(data))
        os.pwrite(self._file, data, self._written + BLOCK.size)
        os.pwrite(self._file, BLOCK.pack(len(names), *sizes), self._written)
        self._written += BLOCK.size + len(data)
        self._in_blocks_before += self._in_block
        for written in (*numbers, self._new_names):
            written.clear()
        self._in_block = self._in_batches = 0
