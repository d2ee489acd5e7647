"""Each process's own log of its tasks, and the only clock in this package.

A log is a small file: a memory-mapped header about the process and the task it has in hand, then one
entry per task. Beside it is a file of JSON lines with the transforms that each task applied. The header
survives a SIGKILL of its writer, so that whoever watches a trial can tell on which task a process died.
`read()` gives a log back as NumPy arrays."""

from __future__ import annotations

import json
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
    **dict.fromkeys(("under_way", "image_index", "augmentation_index"), "q"),  # the task in hand
    **{"pid": "q", "role": "q", "ready": "d", "left": "d"},
    **dict.fromkeys(("opencv_threads", "os_threads", "peak_rss_bytes"), "q"),
}
STAGES = ("read", "transform", "send", "encode", "write")
ENTRY_FIELDS = (
    {"image_index": "q", "augmentation_index": "q", "start": "d", "end": "d"}
    | dict.fromkeys(STAGES, "d")
    | {"user": "d", "system": "d", "faults": "q", "wait": "d"}
)
_HEADER = struct.Struct("<" + "".join(HEADER_FIELDS.values()))
_ENTRY = struct.Struct("<" + "".join(ENTRY_FIELDS.values()))
UNDER_WAY, IMAGE, AUGMENTATION = range(3)  # words of the header
KEPT = 256  # tasks between two writes of entries
BACK_TO_BACK_S = 1e-4  # between tasks, within which the counters at the end of one serve the next
SHORT_S, SAMPLED = (
    5e-3,
    8,
)  # of shorter tasks one in SAMPLED has its transforms timed, the same ones everywhere
TRANSFORMS = ".transforms"  # what the file beside a log ends in
Transforms = list[tuple[str, float]]  # name, seconds
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

    The task in hand is always in the header; entries are kept in memory and written now and then, so
    that a task costs no more than its clock and counters. Raises OSError where the disk is full."""

    def __init__(
        self, folder: Path, role: Role, recording: bool = True, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.role, self.recording, self.clock = role, recording, clock
        path = folder / f"{os.getpid()}.log"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._beside = path.with_suffix(TRANSFORMS)
        # Room first: a write to a map that the disk cannot hold would kill the process (SIGBUS).
        os.posix_fallocate(self._file, 0, _HEADER.size)
        self._map = mmap.mmap(self._file, _HEADER.size)
        self._words = memoryview(self._map).cast("q")
        self._schedstat: int | None = None
        with suppress(FileNotFoundError):  # a kernel built without it
            self._schedstat = os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._written = _HEADER.size
        self._kept: list[tuple[Any, ...]] = []
        self._applied: list[Transforms | None] = []  # of the tasks in _kept
        self._usage, self._waited = resource.getrusage(resource.RUSAGE_SELF), self._wait_s()
        self._ended = -BACK_TO_BACK_S  # no task before the first
        self._took = SHORT_S
        self.timing = False  # whether the transforms of the task in hand are to be timed

    def ready(self, opencv_threads: int, os_threads: int) -> None:
        """Enters the header: this process begins to work now."""
        self._header = [0, 0, 0, os.getpid(), self.role, self.clock(), 0.0, opencv_threads, os_threads, 0]
        _HEADER.pack_into(self._map, 0, *self._header)

    def leave(self) -> None:
        """Completes the log: this process ends of its own accord, with this peak memory."""
        self._write()
        peak_rss_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        left = dict(zip(HEADER_FIELDS, self._header, strict=True))
        left |= {"left": self.clock(), "peak_rss_bytes": peak_rss_bytes}
        _HEADER.pack_into(self._map, 0, *left.values())

    def begin(self, image_index: int, augmentation_index: int) -> None:
        """A task begins."""
        if not self.recording:
            return
        words = self._words
        words[IMAGE], words[AUGMENTATION], words[UNDER_WAY] = image_index, augmentation_index, 1
        self.timing = self._took >= SHORT_S or augmentation_index % SAMPLED == 0
        self._laps: list[tuple[int, float]] = []
        self._transforms: Transforms = []
        start = self.clock()
        if start - self._ended > BACK_TO_BACK_S:
            self._count()
        self._begun = (image_index, augmentation_index), start, self._usage, self._waited

    def lap(self, stage: int) -> None:
        """The time since the last lap was spent in that stage (an index into STAGES)."""
        if self.recording:
            self._laps.append((stage, self.clock()))

    def transformed(self, name: str, begin: float) -> None:
        """A transform of that name was applied, from `begin` until now."""
        self._transforms.append((name, self.clock() - begin))

    def end(self) -> None:
        """The task is done."""
        if not self.recording:
            return
        self._count()
        laps = self._laps
        self._kept.append((self._begun, laps, self._usage, self._waited))
        self._applied.append(self._transforms if self.timing else None)
        self._ended = laps[-1][1] if laps else self._begun[1]
        self._took = self._ended - self._begun[1]
        self._words[UNDER_WAY] = 0
        if len(self._kept) == KEPT:
            self._write()

    def _count(self) -> None:
        """Reads the counters; a process that never left its CPU cannot have waited for one since."""
        before = self._usage
        self._usage = after = resource.getrusage(resource.RUSAGE_SELF)
        if after.ru_nivcsw != before.ru_nivcsw or after.ru_nvcsw != before.ru_nvcsw:
            self._waited = self._wait_s()

    def _wait_s(self) -> float:
        """Seconds that this process's main thread was runnable without a CPU (proc(5), schedstat)."""
        if self._schedstat is None:
            return 0.0
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9

    def _write(self) -> None:
        if not self._kept:
            return
        with open(self._beside, "a", encoding="ascii") as beside:
            beside.write(json.dumps(self._applied) + "\n")
        data = b"".join(_ENTRY.pack(*_entry(*kept)) for kept in self._kept)
        os.posix_fallocate(self._file, self._written, len(data))
        self._written += os.pwrite(self._file, data, self._written)
        self._kept.clear()
        self._applied.clear()


def _entry(begun: Any, laps: list[tuple[int, float]], after: Any, waited: float) -> list[float]:
    """The values of ENTRY_FIELDS for a task that is done."""
    task, start, before, waited_before = begun
    stages, last = [0.0] * len(STAGES), start
    for stage, now in laps:
        stages[stage] += now - last
        last = now
    user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    faults, wait_s = after.ru_minflt - before.ru_minflt, waited - waited_before
    return [*task, start, last, *stages, user_s, system_s, faults, wait_s]


@dataclass(frozen=True)
class ReadLog:
    """A log as it was left: the header's fields, and the tasks done, in order, as a structured array
    with the fields of ENTRY_FIELDS (times in seconds of the writer's clock); in the same order the
    transforms that each applied, with their seconds, None where they were not timed. Of a process that
    was killed the last up to KEPT tasks are lacking."""

    header: dict[str, Any]
    done: NDArray[np.void]
    transforms: list[Transforms | None]

    @property
    def role(self) -> Role:
        return Role(self.header["role"])

    @property
    def unfinished_task(self) -> tuple[int, int] | None:
        """The task that was under way, if the process ended in the middle of one."""
        under_way = self.header["image_index"], self.header["augmentation_index"]
        return under_way if self.header["under_way"] else None


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
            logs.append(ReadLog(header, entries, _transforms(path.with_suffix(TRANSFORMS))))
    return sorted(logs, key=lambda log: float(log.header["ready"]))


def _transforms(beside: Path) -> list[Transforms | None]:
    """What the file beside a log holds; a last line that a full disk has cut short is none."""
    whole, _, _ = beside.read_text().rpartition("\n") if beside.exists() else ("", "", "")
    tasks = [task for line in whole.splitlines() for task in json.loads(line)]
    return [task and [(name, seconds) for name, seconds in task] for task in tasks]
