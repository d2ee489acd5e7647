"""Workers that take their next task themselves: no master in the path, and an image at a time in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from augment.recording.log import Role
from augment.recording.processes import context
from augment.strategies.base import Strategy, master, run_processes
from augment.task_runner import do_tasks, open_task_runner, task_runner
from augment.workload import Job, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = 8  # words of a cache line: workers that count in lines of their own do not slow each other down
NEXT, IMAGE, TAKEN = 0, 0, 1  # words in the first line, and in each worker's


@dataclass
class Dynamic(Strategy):
    """A worker goes through an image that nobody has, task by task; when there is none, it joins the image
    with most tasks left. Nothing travels: a task is taken by counting up a word that all workers share."""

    name: ClassVar[str] = "dynamic"
    label: ClassVar[str] = "dynamic"
    color: ClassVar[str | None] = "#CC79A7"
    marker: ClassVar[str] = "*"

    def run(self, job: Job) -> None:
        start = context(job.runtime.start_method)
        with master(job):
            claims = Claims(job.workload, job.workers, start.RawArray("q", words(job.workers)), start.Lock)
            run_processes(
                [start.Process(target=_work, args=(job, claims, number)) for number in range(job.workers)]
            )


def _work(job: Job, claims: Claims, number: int) -> None:
    open_task_runner(job, Role.WORKER)
    do_tasks(task_runner(), claims.of(number))


def words(workers: int) -> int:
    """How many words Claims needs."""
    return LINE * (1 + workers)


class Claims:
    """Which tasks are taken, in words that the workers share: the next image that nobody has, and of each
    worker its image and how many of that one's tasks are taken. As many for a million files as for one.

    A worker counts under a lock of its own, so that it meets others only when it takes a new image (the lock
    `_new`, under which its own may be taken, but not the other way round) or one joins it."""

    def __init__(
        self, workload: Workload, workers: int, words: Any, lock: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        """`words`: as many zeros as `words` says."""
        self._n_images, self._n_tasks = len(workload.inputs), workload.n_augmentations
        self._words, self._workers = words, range(workers)
        self._new, self._locks = lock(), [lock() for _ in self._workers]
        for worker in self._workers:  # nothing in hand: nothing left of it
            self._words[self._line(worker) + TAKEN] = self._n_tasks

    def of(self, worker: int) -> Iterator[tuple[int, int]]:
        """The tasks that a worker is to do, each taken when it is asked for."""
        whose: int | None = worker
        while whose is not None:
            line = self._line(whose)
            with self._locks[whose]:
                image, taken = self._words[line + IMAGE], self._words[line + TAKEN]
                if taken < self._n_tasks:
                    self._words[line + TAKEN] = taken + 1
            if taken < self._n_tasks:
                yield image, taken
            else:
                whose = self._next(worker)

    def _next(self, worker: int) -> int | None:
        """Whose image a worker goes on with: its own, if there is a new one for it, or that with most tasks
        left; None where none is left."""
        with self._new:  # who finds no new image here finds all that were taken in their workers' lines
            new, line = self._words[NEXT], self._line(worker)
            if new < self._n_images:
                self._words[NEXT] = new + 1
                with self._locks[worker]:
                    self._words[line + IMAGE], self._words[line + TAKEN] = new, 0
                return worker
        busiest = min(self._workers, key=self._taken)
        return busiest if self._taken(busiest) < self._n_tasks else None

    def _taken(self, worker: int) -> int:
        return int(self._words[self._line(worker) + TAKEN])

    @staticmethod
    def _line(worker: int) -> int:
        return LINE * (1 + worker)
