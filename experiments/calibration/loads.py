"""Known causes of lost time that a transform can plant.

The amount of a load is fixed beforehand (`dosing`): one that watched the clock would do more of it where an
ablation makes it cheap, and no ablation could remove it."""

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

from augment import image_io, task_runner

MIB = 1 << 20
PAGE_BYTES = 4096  # of one page, and of one synced write
ARRAY_BYTES = 3 * MIB  # below the 4 MiB from which on NumPy asks for huge pages
N_ARRAYS = 24  # more than the 64 MiB that malloc keeps at most when they are dropped
LAST_CACHES = 2  # what is filled again and again: no cache holds it
GOLDEN = (5**0.5 - 1) / 2
IN_CACHE = bytes(1 << 16)


def compute(seconds: float) -> None:
    """So much CPU time of this thread, whatever its neighbours do. Lets go of the interpreter's lock."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        zlib.crc32(IN_CACHE)


def touch_pages(count: int) -> None:
    """So many page faults, N_ARRAYS at least: arrays are made, their pages touched, and all dropped."""
    pages = ARRAY_BYTES // PAGE_BYTES
    arrays = [np.empty(ARRAY_BYTES, np.uint8) for _ in range(max(N_ARRAYS, count // pages + 1))]
    left = count - len(arrays)  # malloc has touched one page of each
    for array in arrays:
        touched = min(max(left, 0), pages)
        array[: touched * PAGE_BYTES : PAGE_BYTES] = 1
        left -= touched


def sync(folder: Path, count: int) -> None:
    """Small writes, each synced to the disk of the folder."""
    with TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(count):
            file.write(bytes(PAGE_BYTES))
            os.fsync(file.fileno())


def sync_outputs(count: int) -> None:
    """From now on every output that this process writes is followed by synced writes beside it."""

    def write_and_sync(folder: Path, name: str, encoded: NDArray[np.uint8]) -> None:
        image_io.write(folder, name, encoded)
        sync(folder, count)

    runner: Any = task_runner
    if runner.write is image_io.write:
        runner.write = write_and_sync


def occupy_helpers(size: int) -> None:
    """Helper threads, one fewer than OpenCV has, that compute beside the task, as those do that wait by
    spinning. `size`: bytes of which each makes a checksum."""
    for _ in range(cv2.getNumThreads() - 1):
        _helpers().submit(zlib.crc32, _zeros(size))


def fill(count: int) -> None:
    """Writes so many MiB, going round an array."""
    pieces = _pieces(os.getpid())
    for _ in range(count):
        next(pieces).fill(1)


def fill_by_turns(count: int) -> None:
    """Writes so many MiB in the mean, now more and now fewer: workers whose tasks are all alike would fall
    into a step in which one always computes while the other one fills."""
    fill(round(next(_sizes(os.getpid())) * count))


def call_kernel(count: int) -> None:
    """System CPU without a page fault."""
    for _ in range(count):
        os.stat("/")


_helpers = cache(ThreadPoolExecutor)
_zeros = cache(bytes)


@cache
def _pieces(process: int) -> Iterator[NDArray[np.uint8]]:
    """Pieces of 1 MiB of an array of LAST_CACHES (of 32 MiB, where no size is told). Each process has its
    own: a forked one's pages are its parent's until it writes."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")  # like 32768K
    last_mib = max((int(size.read_text().strip("K\n")) >> 10 for size in sizes), default=32)
    return cycle(np.ones((LAST_CACHES * last_mib, MIB), np.uint8))


@cache
def _sizes(process: int) -> Iterator[float]:
    """From 0 to 2, spread evenly, 1 in the mean; other ones at a time in each process."""
    return (2 * (number * GOLDEN % 1) for number in count(process))


LOADS: dict[str, Callable[[Any], object]] = {
    "computing": compute,
    "waits": time.sleep,
    "page faults": touch_pages,
    "storage": sync_outputs,
    "threads": occupy_helpers,
    "memory": fill_by_turns,
    "system calls": call_kernel,
    "slow warm-up": cache(compute),  # the first time in a process
}


class Loads(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """One of LOADS, so much of it; the image is left as it is."""

    def __init__(self, load: str, amount: float, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.load, self.amount = load, amount

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        LOADS[self.load](self.amount)
        return img


def unit_s(load: str, folder: Path) -> float:
    """Seconds of one unit of a load on this machine, in a process that has done little else; 1 where the
    amount is in seconds."""
    blocks: dict[str, tuple[Callable[[int], object], int]] = {
        "page faults": (touch_pages, 1000),
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
