"""Workers that take their next task themselves: no master in the path, and an image at a time in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from augment.strategies.base import Strategy, master, run_processes
from augment.task_log.layout import Role
from augment.task_log.processes import context
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
    `_new`, under which its own may be taken, but not the other way round) or one joins it: 64 workers on two
    CPUs took 0.4 microseconds a task so, and 0.8 under one lock for all (medians of five)."""

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
        whose = worker
        while True:
            if self._left(whose) and (task := self._take(whose)):
                yield task
            elif task := self._take_new(worker):
                whose = worker
                yield task
            else:
                whose = max(self._workers, key=self._left)
                if not self._left(whose):
                    return

    def _take(self, whose: int) -> tuple[int, int] | None:
        """The next task of a worker's image."""
        line = self._line(whose)
        with self._locks[whose]:
            image, taken = self._words[line + IMAGE], self._words[line + TAKEN]
            if taken == self._n_tasks:
                return None
            self._words[line + TAKEN] = taken + 1
        return image, taken

    def _take_new(self, worker: int) -> tuple[int, int] | None:
        """The first task of the next image, which is the worker's from now on. Where there is none, all that
        were taken are in their workers' lines."""
        line = self._line(worker)
        with self._new:
            image = self._words[NEXT]
            if image == self._n_images:
                return None
            self._words[NEXT] = image + 1
            with self._locks[worker]:
                self._words[line + IMAGE], self._words[line + TAKEN] = image, 1
        return image, 0

    def _left(self, whose: int) -> int:
        """Tasks that nobody has taken of a worker's image; only that worker makes them more."""
        return self._n_tasks - int(self._words[self._line(whose) + TAKEN])

    @staticmethod
    def _line(worker: int) -> int:
        return LINE * (1 + worker)
