"""P_Q done right: savers of their own, fed through a bounded ring of memory that all processes share."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.heap import BufferWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from augment.option import option
from augment.recording.log import Role
from augment.recording.processes import context
from augment.strategies.base import master
from augment.strategies.dynamic import Claims, words
from augment.strategies.queue import SaverStrategy
from augment.task_runner import TaskRunner, do_tasks, open_task_runner, task_runner
from augment.workload import Job

if TYPE_CHECKING:
    from augment.image_io import Pixels

SLOT_BYTES = 64 << 20  # of address space: an image takes as much memory as it has bytes
SHARED, ROOM = Path("/dev/shm"), 0.8  # a container may have little there, and the ring would go to a disk


@dataclass
class PQRing(SaverStrategy):
    """As dynamic, but an augmented image goes to a saver: into a free slot of shared memory, whose number
    travels. When none is free, workers wait. Larger images than a slot are saved by who made them."""

    name: ClassVar[str] = "pq_ring"
    label: ClassVar[str] = "P_Q ring"
    color: ClassVar[str | None] = "#56B4E9"
    marker: ClassVar[str] = "h"

    slots: int | None = option("images that may wait for a saver; null: two for each saver", None, minimum=1)

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """Also the slots."""
        waiting = self.slots_of(workers) * min(SLOT_BYTES, max(image_bytes))
        return super().memory_bytes(workers, image_bytes, n_augmentations) + waiting

    def slots_of(self, workers: int) -> int:
        """How many images may wait for a saver."""
        return self.slots or 2 * self.savers_of(workers)

    def run(self, job: Job) -> None:
        start, n_savers = context(job.runtime.start_method), self.savers_of(job.workers)
        n_workers = job.workers - n_savers
        with master(job):
            ring = Ring(start, self.slots_of(job.workers))
            claims = Claims(job.workload, n_workers, start.RawArray("q", words(n_workers)), start.Lock)
            savers = [start.Process(target=_save, args=(job, ring)) for _ in range(n_savers)]
            workers = [start.Process(target=_work, args=(job, claims, n, ring)) for n in range(n_workers)]
            for process in (*savers, *workers):
                process.start()
            for process in workers:
                process.join()
            for _ in savers:
                ring.end()
            for process in savers:
                process.join()


class Ring:
    """Images on their way to the savers, in slots of memory that all processes share."""

    def __init__(self, start: Any, slots: int) -> None:
        free = shutil.disk_usage(SHARED).free if SHARED.is_dir() else 0
        self.slot_bytes = min(SLOT_BYTES, int(ROOM * free / slots) or SLOT_BYTES)
        self._memory = BufferWrapper(slots * self.slot_bytes)
        self._free, self._full = start.SimpleQueue(), start.SimpleQueue()
        for slot in range(slots):
            self._free.put(slot)

    def put(self, item: tuple[tuple[int, int], Pixels]) -> None:
        """Hands a task's image over; waits for a free slot."""
        task, pixels = item
        slot = self._free.get()
        self._image(slot, pixels.shape)[...] = pixels
        self._full.put((slot, pixels.shape, task))

    def end(self) -> None:
        """Says to one saver that nothing more will come."""
        self._full.put(None)

    def save_next(self, runner: TaskRunner) -> bool:
        """Saves the next image; False when nothing more will come."""
        item = self._full.get()
        if item is None:
            return False
        slot, shape, task = item
        with runner.task(*task):
            runner.save(self._image(slot, shape))
        self._free.put(slot)
        return True

    def _image(self, slot: int, shape: tuple[int, ...]) -> Pixels:
        import numpy as np

        return np.ndarray(shape, np.uint8, self._memory.create_memoryview(), slot * self.slot_bytes)


def _work(job: Job, claims: Claims, number: int, ring: Ring) -> None:
    open_task_runner(job, Role.WORKER)
    do_tasks(task_runner(), claims.of(number), partial(_deliver, task_runner(), ring))


def _deliver(runner: TaskRunner, ring: Ring, pixels: Pixels) -> None:
    if pixels.nbytes > ring.slot_bytes:
        runner.save(pixels)
    else:
        runner.send(ring, (runner.current, pixels))


def _save(job: Job, ring: Ring) -> None:
    open_task_runner(job, Role.SAVER)
    while ring.save_next(task_runner()):
        pass
