"""Policies of every process of a trial that are no part of a strategy."""

import ctypes
import multiprocessing
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from errno import ENOTSUP
from multiprocessing.context import ForkContext
from pathlib import Path
from typing import cast

from augment.options import option

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
RETAINED_BYTES = (1 << 30, 32 << 20)
THREAD_COUNT_VARIABLES = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"  # of numeric libraries
PR_SET_PDEATHSIG = 1  # linux/prctl.h


StartMethod = StrEnum("StartMethod", ["fork", "spawn", "forkserver"])  # of multiprocessing's processes
Allocator = StrEnum("Allocator", ["default", "retain"])  # treatment of large arrays that are freed


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
    reuse_pipeline: bool = option(
        "build the random transform once in a process and seed it anew for each task; the same bytes", False
    )

    @property
    def context(self) -> ForkContext:
        """Return multiprocessing's context of the start method (typed as one of them)."""
        return cast("ForkContext", multiprocessing.get_context(self.start_method.value))

    def apply(self) -> None:
        """Put the policy in force in this process. Raises OSError if the system refuses it."""
        import cv2

        cv2.setNumThreads(self.opencv_threads or cv2.getNumberOfCPUs())
        if self.allocator is Allocator.retain:
            retain_memory()


def retain_memory() -> None:
    """Let malloc keep large blocks instead of mapping, zeroing and unmapping each. Raises OSError.

    Both thresholds are set, because raising the trim threshold alone would freeze the other at 128 KiB.
    """
    mallopt = ctypes.CDLL(None).mallopt
    for threshold in RETAINED_BYTES:  # older glibc refuses more than 32 MiB
        if mallopt(M_MMAP_THRESHOLD, threshold) == mallopt(M_TRIM_THRESHOLD, threshold) == 1:
            return
    raise OSError(ENOTSUP, "runtime.allocator=retain: this C library's mallopt refuses it")


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, so that no worker outlives a killed master."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    # `parent.is_alive()` needs a sentinel, which libraries that start processes themselves leave out.
    if parent is not None and not _is_running(parent.pid):
        os._exit(1)


def _is_running(pid: int | None) -> bool:
    """Return whether a process is there and no zombie: a killed parent may wait to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(") ")[2][:1] not in "ZX"
