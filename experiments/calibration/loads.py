"""Causes of lost time that a transform can plant in a task.

The amount of a load is fixed beforehand (`dosing`). A load that watched the clock would do more work when an
ablation makes the work cheap, so that no ablation could remove the load.
"""

import os
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import count, cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

from augment import images, task_runner

MIB = 1 << 20
PAGE_BYTES = 4096  # of one page, and of one synced write
ARRAY_BYTES = 3 * MIB  # below the 4 MiB from which on NumPy asks for huge pages
N_ARRAYS = 24  # more than the 64 MiB that malloc keeps at most when they are dropped
N_LAST_CACHES = 2  # size of the array that is filled, in last-level caches: no cache holds the array
GOLDEN_RATIO = (5**0.5 - 1) / 2
CACHED_BYTES = bytes(1 << 16)  # fit into the first-level or second-level cache


def compute(seconds: float) -> None:
    """Use so much CPU time of this thread, whatever its neighbours do, without the interpreter's lock."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        zlib.crc32(CACHED_BYTES)


def touch_pages(count: int) -> None:
    """Cause so many page faults, at least N_ARRAYS: make arrays, touch their pages, drop the arrays."""
    pages = ARRAY_BYTES // PAGE_BYTES
    arrays = [np.empty(ARRAY_BYTES, np.uint8) for _ in range(max(N_ARRAYS, count // pages + 1))]
    left = count - len(arrays)  # malloc has touched one page of each
    for array in arrays:
        touched = min(max(left, 0), pages)
        array[: touched * PAGE_BYTES : PAGE_BYTES] = 1
        left -= touched


def sync(folder: Path, count: int) -> None:
    """Write `count` pages to a file in the folder, each synced to the disk."""
    with TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(count):
            file.write(bytes(PAGE_BYTES))
            os.fsync(file.fileno())


def sync_outputs(count: int) -> None:
    """Let every later output of this process be followed by synced writes beside it."""

    def write_and_sync(folder: Path, name: str, encoded: NDArray[np.uint8]) -> None:
        images.write(folder, name, encoded)
        sync(folder, count)

    runner: Any = task_runner
    if runner.write is images.write:
        runner.write = write_and_sync


def occupy_helpers(size: int) -> None:
    """Let helper threads, one fewer than OpenCV has, each compute the checksum of `size` bytes.

    They compute beside the task, as threads do that wait by spinning.
    """
    for _ in range(cv2.getNumThreads() - 1):
        _helpers().submit(zlib.crc32, _zeros(size))


def fill(count: int) -> None:
    """Write so many MiB to a large array, from its start again when the end is reached."""
    pieces = _pieces(os.getpid())
    for _ in range(count):
        next(pieces).fill(1)


def fill_varied(count: int) -> None:
    """Write a varying number of MiB, `count` in the mean.

    Workers with tasks of equal length fall into a step in which one computes while the other one fills.
    """
    fill(round(next(_sizes(os.getpid())) * count))


def call_kernel(count: int) -> None:
    """Use system CPU without a page fault."""
    for _ in range(count):
        os.stat("/")


_helpers = cache(ThreadPoolExecutor)
_zeros = cache(bytes)


@cache
def _pieces(process: int) -> Iterator[NDArray[np.uint8]]:
    """Cycle through pieces of 1 MiB of an array of N_LAST_CACHES caches.

    A cache has 32 MiB if the system does not tell. Each process has an array of its own, because the pages of
    a forked process are those of its parent until it writes to them.
    """
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")  # like 32768K
    last_mib = max((int(size.read_text().strip("K\n")) >> 10 for size in sizes), default=32)
    return cycle(np.ones((N_LAST_CACHES * last_mib, MIB), np.uint8))


@cache
def _sizes(process: int) -> Iterator[float]:
    """Yield numbers from 0 to 2, spread evenly with mean 1, in each process from the start."""
    return (2 * (number * GOLDEN_RATIO % 1) for number in count(process))


LOADS: dict[str, Callable[[Any], object]] = {
    "computing": compute,
    "waits": time.sleep,
    "system CPU": touch_pages,
    "storage": sync_outputs,
    "threads": occupy_helpers,
    "memory": fill_varied,
    "system calls": call_kernel,
    "slow warm-up": cache(compute),  # the first time in a process
}


class Load(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """A transform that runs one of LOADS and leaves the image as it is."""

    def __init__(self, load: str, amount: float, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.load, self.amount = load, amount

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        """Run the load."""
        LOADS[self.load](int(self.amount) if float(self.amount).is_integer() else self.amount)
        return img


def unit_s(load: str, folder: Path) -> float:
    """Measure the seconds of one unit of a load, or return 1 if its amount is in seconds.

    To be called in a process that has done little else. Storage is measured in the folder.
    """
    blocks: dict[str, tuple[Callable[[int], object], int]] = {
        "system CPU": (touch_pages, 1000),
        "storage": (partial(sync, folder), 20),
        "threads": (lambda size: zlib.crc32(_zeros(size)), 1 << 20),
        "memory": (fill, 1000),
        "system calls": (call_kernel, 1000),
    }
    if load not in blocks:
        return 1.0
    clock = time.perf_counter if load == "storage" else time.thread_time
    run, count = blocks[load]
    times = []
    for _ in range(6):
        begin = clock()
        run(count)
        times.append(clock() - begin)
    return median(times[1:]) / count
