"""Known causes of lost time, planted: transforms that load one resource, and strategies that deal
badly. What the verdict has to name, on a machine with few cores."""

import fcntl
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.recording.log import Role
from augment.recording.processes import context
from augment.strategies import STRATEGIES, Strategy
from augment.strategies.base import master, pool
from augment.task_runner import open_task_runner, task_runner
from augment.workload import Job
from tests.planted import Planted, Sleeps

BUSY_S = 0.03


def spin(seconds: float) -> None:
    """Computes for about so long, in this process's own CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(1000))


class Computes(Planted):
    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        for _time in range(1500):
            sum(range(1000))
        return img


class Streams(Planted):
    """Adds up arrays larger than the last cache that a process has to itself."""

    arrays: tuple[NDArray[np.float64], ...] = ()

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        if not Streams.arrays:
            Streams.arrays = tuple(np.ones(3_000_000) for _ in range(2))
        for _time in range(8):
            np.add(Streams.arrays[0], Streams.arrays[1], out=Streams.arrays[1])
        return img


class Faults(Planted):
    """Makes and drops arrays that malloc maps and unmaps each time: above 32 MiB it always does."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        np.empty(40_000_000, np.uint8)[::4096] = 1
        return img


class Locks(Planted):
    """Does its work behind one file lock for all processes."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        with open(Path(tempfile.gettempdir(), "planted.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            spin(BUSY_S)
        return img


class Threads(Planted):
    """Filters that OpenCV spreads over as many threads as it is allowed."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        large = np.ones((1500, 1500), np.float32)
        for _time in range(3):
            cv2.GaussianBlur(large, (31, 31), 5)
        return img


class Flips(Planted):
    """Next to nothing, on an image that had to travel."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        return cv2.flip(img, 1)


class OwnThreads(Planted):
    """Checksums on four threads of its own, which release the interpreter's lock."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(zlib.crc32, [bytes(16_000_000)] * 4))
        return img


class Syncs(Planted):
    """Waits for the disk."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        with tempfile.TemporaryFile() as file:
            for _time in range(40):
                file.write(bytes(200_000))
                file.flush()
                os.fsync(file.fileno())
        return img


@dataclass
class SerialMaster(Strategy):
    """The master prepares every task, one after another, while its workers wait."""

    def run(self, job: Job) -> None:
        def prepared() -> Iterator[tuple[int, int]]:
            for task in job.workload.tasks():
                spin(BUSY_S)
                yield task

        with master(job), pool(job, job.workers) as workers:
            for _done in workers.imap(_augment, prepared()):
                pass


@dataclass
class Skewed(Strategy):
    """One worker gets three quarters of the tasks."""

    def run(self, job: Job) -> None:
        tasks = list(job.workload.tasks())
        most = len(tasks) * 3 // 4
        rest = tasks[most:]
        others = max(1, job.workers - 1)
        parts = [tasks[:most], *(rest[number::others] for number in range(others))]
        with master(job):
            start = context(job.runtime.start_method).Process
            processes = [start(target=_augment_all, args=(job, part)) for part in parts]
            for process in processes:
                process.start()
            for process in processes:
                process.join()


def _augment(task: tuple[int, int]) -> None:
    with task_runner().task(*task) as here:
        here.save(here.transform(here.read()))


def _augment_all(job: Job, tasks: list[tuple[int, int]]) -> None:
    open_task_runner(job, Role.WORKER)
    for task in tasks:
        _augment(task)


@dataclass(frozen=True)
class Cause:
    """A planted cause, and the words of which the verdict must begin with one."""

    transform: type[Planted]
    named: tuple[str, ...]
    strategy: Strategy = field(default_factory=STRATEGIES["p2"])
    workers: int = 2
    opencv_threads: int = 1
    size: str = "40x30"
    n_augmentations: int = 16
    repetitions: int = 2


USER: dict[str, Any] = {"n_augmentations": 48, "repetitions": 3}  # some ten per cent: look longer
CAUSES = {
    "clean at one worker": Cause(Computes, ("inside the noise",), workers=1),
    "compute": Cause(Computes, ("inside the noise", "clock or SMT"), **USER),
    "memory": Cause(Streams, ("memory bandwidth or cache",), **USER),
    "page faults": Cause(Faults, ("page-fault churn",)),
    "sleep": Cause(Sleeps, ("blocked on storage or locks",)),
    "file lock": Cause(Locks, ("blocked on storage or locks",)),
    "disk": Cause(Syncs, ("blocked on storage or locks",)),
    "serial master": Cause(Computes, ("coordination",), strategy=SerialMaster()),
    "large images in the master": Cause(
        Flips, ("coordination",), strategy=STRATEGIES["p1"](), size="3000x2000"
    ),
    "skewed deal": Cause(Computes, ("load imbalance",), strategy=Skewed()),
    "many workers": Cause(Computes, ("oversubscription",), workers=8),
    "four OpenCV threads": Cause(Threads, ("oversubscription",), opencv_threads=4),
    "four threads of its own": Cause(OwnThreads, ("oversubscription",)),
}
