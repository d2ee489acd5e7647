"""What the kernel counts of this process or thread: CPU seconds, page faults, run-queue wait; peak memory."""

import math
import os
import re
import resource
from contextlib import suppress
from mmap import PAGESIZE
from pathlib import Path
from threading import get_native_id

# User and system seconds, minor faults, seconds of run-queue wait; and the resident memory in bytes.
Used = tuple[float, ...]
UNCOUNTED: Used = (math.nan,) * 5


def usage() -> resource.struct_rusage:
    """Of the process, helper threads included, when its main thread asks; else of the thread that asks."""
    return resource.getrusage(resource.RUSAGE_SELF if is_main_thread() else resource.RUSAGE_THREAD)


def is_main_thread() -> bool:
    """Whether this is the thread that its process began with."""
    return get_native_id() == os.getpid()


class Counters:
    """The counters of what calls, as `usage` has them; the wait is the calling thread's."""

    def __init__(self) -> None:
        self._schedstat: int | None = None
        with suppress(FileNotFoundError):  # a kernel built without it
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._usage, self._wait_s = usage(), self._waited()

    def used(self) -> Used:
        """What was used since the last call, and the memory held now."""
        before, wait_s = self._usage, self._wait_s
        self._usage = after = usage()
        if after.ru_nivcsw != before.ru_nivcsw or after.ru_nvcsw != before.ru_nvcsw:
            self._wait_s = self._waited()  # else it never left its CPU, and cannot have waited for one
        user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        resident = int(os.pread(self._statm, 64, 0).split()[1]) * PAGESIZE
        return user_s, system_s, after.ru_minflt - before.ru_minflt, self._wait_s - wait_s, resident

    def _waited(self) -> float:
        """Seconds runnable without a CPU so far (proc(5), schedstat)."""
        if self._schedstat is None:
            return 0.0
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9


def peak_rss_bytes() -> int:
    """The most memory that this process has held. (`ru_maxrss` also covers what ran in it before an exec: a
    trial of a large parent would be as large as that.)"""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    return int(peak[1]) * 1024
