"""The kernel's counters of a process or thread: CPU seconds, page faults, run-queue wait, memory."""

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
    """Return the usage of the process if its main thread asks, else of the thread that asks."""
    is_main_thread = get_native_id() == os.getpid()
    return resource.getrusage(resource.RUSAGE_SELF if is_main_thread else resource.RUSAGE_THREAD)


class Counters:
    """The counters of the calling thread, read again and again; see `usage`."""

    def __init__(self) -> None:
        self._schedstat: int | None = None
        with suppress(FileNotFoundError):  # a kernel built without it
            self._schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._usage, self._wait_s = usage(), self._waited_s()

    def used(self) -> Used:
        """Return what was used since the last call, and the memory held now."""
        before, wait_s = self._usage, self._wait_s
        self._usage = after = usage()
        if after.ru_nivcsw != before.ru_nivcsw or after.ru_nvcsw != before.ru_nvcsw:
            self._wait_s = self._waited_s()  # else it never left its CPU, and cannot have waited for one
        user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        resident_bytes = int(os.pread(self._statm, 64, 0).split()[1]) * PAGESIZE
        return user_s, system_s, after.ru_minflt - before.ru_minflt, self._wait_s - wait_s, resident_bytes

    def _waited_s(self) -> float:
        """Return the seconds so far in which the thread could run but had no CPU (proc(5), schedstat)."""
        if self._schedstat is None:
            return 0.0
        return int(os.pread(self._schedstat, 64, 0).split()[1]) / 1e9


def peak_rss_bytes() -> int:
    """Return the most memory that this process has held since its exec, unlike `ru_maxrss`."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    return int(peak[1]) * 1024
