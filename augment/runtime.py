"""Process policies that are no part of a strategy: applied in every process of a trial,
and reported as they are really in force."""

import ctypes
import multiprocessing
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOTSUP
from pathlib import Path

from augment.option import OptionError, option
from augment.recording.processes import START_METHODS

ALLOCATORS, PINS, HUGE_PAGES = ("default", "retain"), ("none", "compact", "scatter"), ("default", "madvise")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
RETAINED_BYTES = (1 << 30, 32 << 20)
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Runtime:
    """One policy for every process of a trial, master included."""

    opencv_threads: str = option(
        "OpenCV threads in every process: a number, or all (one per CPU); the study has 1", "1"
    )
    start_method: str = option(f"how processes are started: {', '.join(START_METHODS)}", "fork")

    allocator: str = option(
        "glibc's malloc: default, or retain (large arrays are kept, not unmapped each time)", "default"
    )
    pin: str = option(
        "workers bound to one CPU each: none, compact (neighbours first) or scatter (spread out)", "none"
    )
    huge_pages: str = option("transparent huge pages for malloc: default, or madvise (asked for)", "default")

    def check(self) -> None:
        """Raises OptionError naming the option that is out of range."""
        choices = {
            "start_method": START_METHODS,
            "allocator": ALLOCATORS,
            "pin": PINS,
            "huge_pages": HUGE_PAGES,
        }
        for name, allowed in choices.items():
            if (value := getattr(self, name)) not in allowed:
                raise OptionError(f"runtime.{name}={value}: choose one of {', '.join(allowed)}")
        if self.opencv_threads != "all" and not (
            self.opencv_threads.isdecimal() and int(self.opencv_threads) > 0
        ):
            raise OptionError(
                f"runtime.opencv_threads={self.opencv_threads}: must be a number, 1 or more, or all"
            )

    def apply(self) -> None:
        """Puts the policy in force in this process. Raises OSError where the system refuses it."""
        import cv2

        cv2.setNumThreads(cv2.getNumberOfCPUs() if self.opencv_threads == "all" else int(self.opencv_threads))
        if self.allocator == "retain":
            retain_memory()

    def environment(self) -> dict[str, str]:
        """What has to be in the environment before a process starts."""
        return {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} if self.huge_pages == "madvise" else {}


def retain_memory() -> None:
    """Has malloc keep large blocks instead of mapping, zeroing and unmapping each. Both thresholds
    are set: raising the trim threshold alone would freeze the other at 128 KiB. Raises OSError."""
    mallopt = ctypes.CDLL(None).mallopt
    for threshold in RETAINED_BYTES:  # older glibc refuses more than 32 MiB
        if mallopt(M_MMAP_THRESHOLD, threshold) == mallopt(M_TRIM_THRESHOLD, threshold) == 1:
            return
    raise OSError(ENOTSUP, "runtime.allocator=retain: this C library's mallopt refuses it")


def bind(pin: str, number: int) -> None:
    """Binds this process, the job's worker `number`, to one of the CPUs that it may use: `compact`
    fills the threads of a core and the cores of a socket first, `scatter` the sockets and cores."""
    places = sorted(os.sched_getaffinity(0), key=lambda cpu: _place(cpu, scatter=pin == "scatter"))
    os.sched_setaffinity(0, {places[number % len(places)]})


def _place(cpu: int, scatter: bool) -> tuple[int, ...]:
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")

    def number(name: str) -> int:
        with suppress(OSError, ValueError):  # not every container shows it: then all are alike
            return int((topology / name).read_text())
        return 0

    package, core = number("physical_package_id"), number("core_id")
    siblings: list[int] = []
    with suppress(OSError):
        siblings = [int(one) for one in re.findall(r"\d+", (topology / "thread_siblings_list").read_text())]
    thread = siblings.index(cpu) if cpu in siblings else 0
    return (thread, core, package, cpu) if scatter else (package, core, thread, cpu)


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends, however that happens, so that
    no worker outlives a killed master."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)


def opencv_threads_in_force() -> int:
    """OpenCV threads that this process would use now."""
    import cv2

    return int(cv2.getNumThreads())


def os_threads() -> int:
    """Kernel threads of this process."""
    return len(os.listdir("/proc/self/task"))
