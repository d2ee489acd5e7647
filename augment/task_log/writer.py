"""The log that each process, or working thread, keeps of its tasks, and the kernel's counters that it reads.

It has the only clock of wall time here.
"""

import math
import mmap
import os
import pickle
import resource
import time
from array import array
from contextlib import suppress
from pathlib import Path
from threading import get_native_id

from augment.task_log import layout
from augment.task_log.layout import HEADER, Header, Note, Role, Turn

BLOCK_TASKS = 256
BACK_TO_BACK_S = 1e-4  # between tasks, within which the counters read after one serve the next
Used = tuple[float, ...]  # user and system seconds, minor faults, seconds of run-queue wait
UNCOUNTED: Used = (math.nan,) * 4


class Log:
    """The log of the process or thread that creates it. Raises OSError if the disk is full.

    `lap(stage)` charges the time since the last lap to a stage: the stages fill a task without gaps. The
    memory-mapped header names the task under way, even after a SIGKILL. Finished tasks stay in memory until a
    block is full. Consecutive short tasks make a batch of SHORT_TASK_S or more, which shares one reading of
    the counters. If the process pauses before that reading, the batch takes the rates of the one before.
    Without `recording` only the header and notes are kept.
    """

    def __init__(self, folder: Path, role: Role, opencv_threads: int, recording: bool = True) -> None:
        """Create the file and enter the header: this process begins to work now."""
        self.role, self.recording, self.clock = role, recording, time.perf_counter
        path = folder / f"{os.getpid()}.log"
        if path.exists():  # of another thread
            path = folder / f"{get_native_id()}.log"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Room first: a write to a map that the disk cannot hold would kill the process (SIGBUS).
        os.posix_fallocate(self._file, 0, HEADER.size)
        self._map = mmap.mmap(self._file, HEADER.size)
        self._words = memoryview(self._map).cast("q")
        self._written = self._drained = HEADER.size
        self._rows: tuple[list[float], ...] = tuple([] for _ in layout.ROW_KINDS)  # of the block
        self._samples, self._batches, self._tasks = self._rows
        self._turns, self._notes = list[Turn](), list[Note]()
        self._n_tasks = self._n_counted = 0  # finished tasks, and those of them in batches
        self._applied: list[float] = []  # samples of the task under way
        self._names: dict[str, int] = {}
        # The task under way, or the one before: at first as if that had been long.
        self._task = [0, 0, -2 * layout.SHORT_TASK_S, -layout.SHORT_TASK_S]
        self._counted = -layout.SHORT_TASK_S  # end of the last task after which the counters were read
        self.timing = False  # whether the transforms of the task under way are to be timed
        self._counters = Counters()
        facts = os.getpid(), get_native_id(), self.role, opencv_threads
        self._header = Header(layout.BETWEEN_TASKS, 0, 0, 0, *facts, 0, self.clock(), 0.0, 0.0, 0.0)
        HEADER.pack_into(self._map, 0, *self._header)

    def complete(self) -> None:
        """Write what is still in memory, and what the process has used: it ends of its own accord."""
        self._write()
        used = usage()
        header = self._header._replace(
            finished=self._n_tasks,
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
        """Begin a task."""
        words = self._words
        words[1], words[2], words[0] = image_index, augmentation_index, layout.IN_TASK  # as Header has them
        if not self.recording:
            return
        before = self._task
        ended = before[3]
        is_after_long = ended - before[2] >= layout.SHORT_TASK_S
        self.timing = is_after_long or layout.is_sampled(image_index, augmentation_index)
        self._applied.clear()
        start = self.clock()
        self._task = [image_index, augmentation_index, start, start, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        self._paused = paused = start - ended > BACK_TO_BACK_S
        if paused:
            self._close_batch(UNCOUNTED)
            self._counters.used()

    def decoding(self, is_decoding: bool) -> None:
        """Enter in the header whether a decoder is at work: one that crashes or hangs has a bad file."""
        self._words[0] = layout.DECODING if is_decoding else layout.IN_TASK

    def drop(self) -> None:
        """Forget the task under way: it is skipped."""
        self._words[0] = layout.BETWEEN_TASKS

    def note(self, image_index: int, text: str, is_bad: bool) -> None:
        """Record a remark on an input: see `layout.Note`."""
        self._notes.append(Note(image_index, text, is_bad))

    def begin_turn(self, number: int, neighbour: str) -> None:
        """Record that the next tasks are of round `number` and run beside this kind of neighbours."""
        if self.recording:
            self._turns.append(Turn(number, neighbour, self._n_tasks))

    def lap(self, stage: int, cpu_s: float | None = None) -> None:
        """Charge the time since the last lap to a stage (an index into STAGES).

        If the stage worked on a file, `cpu_s` is how long it had a CPU; the rest is its wait for the file.
        """
        if self.recording:
            task, now = self._task, self.clock()
            task[4 + stage] += (seconds := now - task[3])
            task[3] = now
            if cpu_s is not None:
                task[-1] += max(0.0, seconds - cpu_s)

    def add_transform(self, name: str, begin: float) -> None:
        """Record that a transform of this name was applied, from `begin` until now."""
        number = self._names.setdefault(name, len(self._names))
        self._applied += (self._n_tasks, number, self.clock() - begin)

    def end(self) -> None:
        """End the task."""
        self._n_tasks += 1
        if self.recording:
            self._tasks += self._task
            self._samples += self._applied
            ended = self._task[3]
            if self._paused or ended - self._counted >= layout.SHORT_TASK_S:
                self._close_batch(self._counters.used())
                self._counted = ended
        self._words[3], self._words[0] = self._n_tasks, layout.BETWEEN_TASKS
        if self._n_tasks % BLOCK_TASKS == 0:
            self._write()

    def _close_batch(self, used: Used) -> None:
        """Charge what was used to the tasks since the last batch."""
        if self.recording and (in_batch := self._n_tasks - self._n_counted):
            self._batches += (in_batch, *used)
            self._n_counted = self._n_tasks

    def _write(self) -> None:
        if not (self._tasks or self._notes):
            return
        self._close_batch(self._counters.used())
        numbers = [array("d", rows) for rows in self._rows]
        block = pickle.dumps(((*self._names,), *numbers, self._turns, self._notes))
        os.posix_fallocate(self._file, self._written, len(block))  # or a full disk may take a part of it
        os.pwrite(self._file, block, self._written)
        self._written += len(block)
        for rows in self._rows:
            rows.clear()
        self._turns.clear()
        self._notes.clear()


def usage() -> resource.struct_rusage:
    """Return the usage of the process if its main thread asks, else of the thread that asks."""
    is_main_thread = get_native_id() == os.getpid()
    return resource.getrusage(resource.RUSAGE_SELF if is_main_thread else resource.RUSAGE_THREAD)


class Counters:
    """The counters of the calling thread, read again and again; see `usage`."""

    def __init__(self) -> None:
        self._schedstat: int | None = None
        with suppress(FileNotFoundError):  # a kernel built without it
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._usage, self._wait_s = usage(), self._waited_s()

    def used(self) -> Used:
        """Return what was used since the last call."""
        before, wait_s = self._usage, self._wait_s
        self._usage = after = usage()
        if after.ru_nivcsw != before.ru_nivcsw or after.ru_nvcsw != before.ru_nvcsw:
            self._wait_s = self._waited_s()  # else it never left its CPU, and cannot have waited for one
        user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        return user_s, system_s, after.ru_minflt - before.ru_minflt, self._wait_s - wait_s

    def _waited_s(self) -> float:
        """Return the seconds so far in which the thread could run but had no CPU (proc(5), schedstat)."""
        if self._schedstat is None:
            return 0.0
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9


def peak_rss_bytes() -> int:
    """Return the most memory that this process has held since its exec, unlike `ru_maxrss`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
