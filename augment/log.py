"""Each process's own log of its tasks, and the only clock in this package.

A log is a small memory-mapped file: a header about the process, then one entry per task. It is
written without system calls or locks and survives a SIGKILL of its writer, so that whoever
watches a trial can tell on which task a process died. `read()` gives it back as NumPy arrays."""

from __future__ import annotations

import mmap
import os
import resource
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADER_FIELDS = {
    "pid": "q",
    "role": "q",
    "ready": "d",
    "left": "d",
    "opencv_threads": "q",
    "os_threads": "q",
    "peak_rss_bytes": "q",
}
STATE_BEGUN, STATE_DONE = 1, 2
STAGES = ("read", "transform", "send", "encode", "write")
ENTRY_FIELDS = (
    {"state": "q", "image_index": "q", "augmentation_index": "q", "start": "d", "end": "d"}
    | dict.fromkeys(STAGES, "d")
    | {"user": "d", "system": "d", "faults": "q", "wait": "d"}
)
_HEADER = struct.Struct("<" + "".join(HEADER_FIELDS.values()))
_ENTRY = struct.Struct("<" + "".join(ENTRY_FIELDS.values()))
_BEGUN = struct.Struct("<qqqd")
BACK_TO_BACK_S = 1e-4  # between tasks, within which the counters at the end of one serve the next
GROWTH = 512  # entries by which a log grows
READING = -1  # the augmentation index of an entry in which a master only reads an image


class Role(IntEnum):
    """What a process of a trial is there for."""

    MASTER = 0
    WORKER = 1
    SAVER = 2
    MANAGER = 3


class Log:
    """One process's log. `lap(stage)` charges the time since the last lap to a stage, so that the
    stages of a task fill it without gaps. Without `recording` only the header is kept.

    Raises OSError where the disk has no room for it: the file grows before it is written, as a
    write to a map that the disk cannot hold would kill the process (SIGBUS)."""

    def __init__(
        self, folder: Path, role: Role, recording: bool = True, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.role = role
        self._recording = recording
        self._clock = clock
        self._file = os.open(
            folder / f"{os.getpid()}.log", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
        )
        os.posix_fallocate(self._file, 0, _HEADER.size)
        self._schedstat: int | None = None
        with suppress(FileNotFoundError):  # a kernel built without it
            self._schedstat = os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._map = mmap.mmap(self._file, _HEADER.size)
        self._offset = _HEADER.size
        self._task = (0, 0)
        self._stages = [0.0] * len(STAGES)
        self._start = self._last = 0.0
        self._ended = -BACK_TO_BACK_S  # no task before the first

    def _grow(self) -> None:
        size = len(self._map) + GROWTH * _ENTRY.size
        os.posix_fallocate(self._file, 0, size)
        self._map.resize(size)

    def _wait_s(self) -> float:
        """Seconds that this process's main thread was runnable without a CPU (proc(5), schedstat)."""
        if self._schedstat is None:
            return 0.0
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9

    def ready(self, opencv_threads: int, os_threads: int) -> None:
        """Enters the header: this process begins to work now."""
        self._header = [os.getpid(), self.role, self._clock(), 0.0, opencv_threads, os_threads, 0]
        _HEADER.pack_into(self._map, 0, *self._header)

    def leave(self) -> None:
        """Completes the header: this process ends of its own accord, with this peak memory."""
        self._header[3] = self._clock()
        self._header[6] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        _HEADER.pack_into(self._map, 0, *self._header)

    def begin(self, image_index: int, augmentation_index: int) -> None:
        """A task begins."""
        if not self._recording:
            return
        if self._offset == len(self._map):
            self._grow()
        self._start = self._last = self._clock()
        self._task = (image_index, augmentation_index)
        self._stages = [0.0] * len(STAGES)
        _BEGUN.pack_into(self._map, self._offset, STATE_BEGUN, image_index, augmentation_index, self._start)
        if self._start - self._ended > BACK_TO_BACK_S:
            self._usage, self._waited = resource.getrusage(resource.RUSAGE_SELF), self._wait_s()

    def lap(self, stage: int) -> None:
        """The time since the last lap was spent in that stage (an index into STAGES)."""
        if self._recording:
            now = self._clock()
            self._stages[stage] += now - self._last
            self._last = now

    def end(self) -> None:
        """The task is done."""
        if not self._recording:
            return
        before, after = self._usage, resource.getrusage(resource.RUSAGE_SELF)
        waited = self._waited
        if after.ru_nivcsw != before.ru_nivcsw or after.ru_nvcsw != before.ru_nvcsw:
            self._waited = self._wait_s()  # else it never left its CPU, and cannot have waited for one
        _ENTRY.pack_into(
            self._map,
            self._offset,
            STATE_DONE,
            *self._task,
            self._start,
            self._last,
            *self._stages,
            after.ru_utime - before.ru_utime,
            after.ru_stime - before.ru_stime,
            after.ru_minflt - before.ru_minflt,
            self._waited - waited,
        )
        self._offset += _ENTRY.size
        self._usage, self._ended = after, self._last


@dataclass(frozen=True)
class ReadLog:
    """A log as it was left: the header's fields and the entries begun, in order (a structured
    array with the fields of ENTRY_FIELDS; times in seconds of the writer's clock)."""

    header: dict[str, Any]
    entries: NDArray[np.void]

    @property
    def role(self) -> Role:
        return Role(self.header["role"])

    @property
    def done(self) -> NDArray[np.void]:
        """The entries that were finished."""
        done: NDArray[np.void] = self.entries[self.entries["state"] == STATE_DONE]
        return done

    @property
    def unfinished_task(self) -> tuple[int, int] | None:
        """The task that was under way, if the process ended in the middle of one."""
        under_way = self.entries[self.entries["state"] == STATE_BEGUN]
        if not len(under_way):
            return None
        return int(under_way[-1]["image_index"]), int(under_way[-1]["augmentation_index"])


def read(folder: Path) -> list[ReadLog]:
    """All logs of a trial whose process got as far as being ready, in the order they were."""
    import numpy as np

    kind = np.dtype([(name, f"<{'i' if code == 'q' else 'f'}8") for name, code in ENTRY_FIELDS.items()])
    logs = []
    for path in folder.glob("*.log"):
        data = path.read_bytes()
        if len(data) < _HEADER.size:
            continue  # killed between making its log and its first word in it
        header = dict(zip(HEADER_FIELDS, _HEADER.unpack_from(data), strict=True))
        entries = np.frombuffer(data, kind, (len(data) - _HEADER.size) // kind.itemsize, _HEADER.size)
        if header["ready"]:
            logs.append(ReadLog(header, entries[entries["state"] > 0]))
    return sorted(logs, key=lambda log: float(log.header["ready"]))
