"""Process policies that are no part of a strategy: applied in every process of a trial,
and reported as they are really in force."""

import ctypes
import multiprocessing
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from errno import ENOTSUP
from itertools import groupby
from pathlib import Path

from augment.options import option
from augment.task_log.processes import StartMethod

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
RETAINED_BYTES = (1 << 30, 32 << 20)
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # of numeric libraries
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Allocator(StrEnum):
    """What glibc's malloc does with large arrays that are freed."""

    default = "default"
    retain = "retain"


class Pin(StrEnum):
    """Which CPUs the workers are bound to, one each."""

    none = "none"
    compact = "compact"
    scatter = "scatter"


@dataclass
class Runtime:
    """One policy for every process of a trial, master included."""

    opencv_threads: int | None = option(
        "OpenCV threads in every process; null: one per CPU; the study has 1", 1, minimum=1
    )
    start_method: StartMethod = option("how processes are started", StartMethod.fork)
    allocator: Allocator = option(
        "glibc's malloc: default, or retain (large arrays are kept, not unmapped each time)",
        Allocator.default,
    )
    pin: Pin = option(
        "workers bound to one CPU each: compact (neighbours first) or scatter (spread out)", Pin.none
    )
    reuse_pipeline: bool = option(
        "build the random transform once in a process and seed it anew for each task; the same bytes", False
    )

    def apply(self) -> None:
        """Puts the policy in force in this process. Raises OSError where the system refuses it."""
        import cv2

        cv2.setNumThreads(self.opencv_threads or cv2.getNumberOfCPUs())
        if self.allocator is Allocator.retain:
            retain_memory()


def retain_memory() -> None:
    """Has malloc keep large blocks instead of mapping, zeroing and unmapping each. Both thresholds
    are set: raising the trim threshold alone would freeze the other at 128 KiB. Raises OSError."""
    mallopt = ctypes.CDLL(None).mallopt
    for threshold in RETAINED_BYTES:  # older glibc refuses more than 32 MiB
        if mallopt(M_MMAP_THRESHOLD, threshold) == mallopt(M_TRIM_THRESHOLD, threshold) == 1:
            return
    raise OSError(ENOTSUP, "runtime.allocator=retain: this C library's mallopt refuses it")


def bind(pin: Pin, number: int) -> None:
    """Binds this process, the job's worker `number`, to one of the CPUs that it may use: `compact`
    fills the threads of a core and the cores of a socket first, `scatter` the sockets and cores."""
    cores = groupby(sorted(os.sched_getaffinity(0), key=_core), key=_core)
    places = [
        (thread, core, package, cpu)
        for (package, core), threads in cores
        for thread, cpu in enumerate(threads)
    ]
    if pin is Pin.scatter:
        places.sort()
    os.sched_setaffinity(0, {places[number % len(places)][-1]})


def _core(cpu: int) -> tuple[int, ...]:
    """Package and core of a CPU; where a container hides them all are alike."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
    try:
        return tuple(int((topology / name).read_text()) for name in ("physical_package_id", "core_id"))
    except (OSError, ValueError):
        return 0, 0


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends, however that happens, so that
    no worker outlives a killed master."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    # Not `parent.is_alive()`: libraries that start processes in a way of their own leave out what it needs.
    if parent is not None and not Path(f"/proc/{parent.pid}").exists():
        os._exit(1)


def opencv_threads_in_force() -> int:
    """OpenCV threads that this process would use now."""
    import cv2

    return int(cv2.getNumThreads())


def os_threads() -> int:
    """Kernel threads of this process."""
    return len(os.listdir("/proc/self/task"))
