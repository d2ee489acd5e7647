"""Workers, processes or threads, that take their next task themselves: no master, no pixels that travel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any

from augment.strategies.base import Strategy, master, run_workers
from augment.task_log.layout import Role
from augment.task_runner import TaskRunner
from augment.workload import Job, Task, Workload

CACHE_LINE_WORDS = 8  # words of two workers in one cache line would slow both down
NEXT_IMAGE = 0  # place of the word that counts the images taken


@dataclass
class Dynamic(Strategy):
    """A worker takes a new image and does its tasks; without new images, it joins another worker's image.

    It joins the image with most tasks left. A task is taken by counting up a word that all workers share.
    """

    name = "dynamic"

    def run(self, job: Job) -> None:
        context = job.runtime.context
        with master(job):
            shared = context.RawArray("q", word_count(job.workers))
            run_workers([job] * job.workers, _work, Claims(job.workload, job.workers, shared, context.Lock))


def _work(runner: TaskRunner, number: int, claims: Claims) -> None:
    runner.run_tasks(claims.tasks(number))


@dataclass
class Threads(Strategy):
    """The strategy `dynamic` with threads: OpenCV and NumPy release the GIL while they work on pixels.

    It needs a pipeline that draws nothing from a state which the threads of a process share.
    """

    name = "threads"

    def run(self, job: Job) -> None:
        errors: list[BaseException] = []
        claims = Claims(job.workload, job.workers, [0] * word_count(job.workers), Lock)
        numbers, shared = range(job.workers), (claims, errors)
        threads = [Thread(target=_work_in_thread, args=(job, number, *shared)) for number in numbers]
        with master(job):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for error in errors:
                raise error


def _work_in_thread(job: Job, number: int, claims: Claims, errors: list[BaseException]) -> None:
    try:
        runner = TaskRunner(job, Role.WORKER)
        _work(runner, number, claims)
        runner.log.complete()
    except BaseException as error:
        errors.append(error)


def word_count(workers: int) -> int:
    """Return how many shared words Claims needs."""
    return CACHE_LINE_WORDS * (1 + workers)


class Claims:
    """The tasks that are taken, in words that the workers share: as many for a million files as for one.

    Each worker has a word: the number, over all images, of the next task of its image, or the first number
    of the next image if none is left. A worker counts under a lock of its own, which others take only to join
    it: to claim a task took 64 workers on two CPUs 0.4 microseconds, and 0.8 under one lock for all
    (medians of five). The lock of new images may be held when a worker's is taken, never the other way round.
    """

    def __init__(
        self, workload: Workload, workers: int, words: Any, lock: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        """Begin with no task taken; `words` are `word_count(workers)` zeros."""
        self._workload, self._n_images, self._n_tasks = workload, len(workload.inputs), workload.n_tasks
        self._words, self._places = words, range(CACHE_LINE_WORDS, word_count(workers), CACHE_LINE_WORDS)
        self._locks = {place: lock() for place in (NEXT_IMAGE, *self._places)}

    def tasks(self, worker: int) -> Iterator[Task]:
        """Yield the tasks of a worker, each taken when it is asked for; done ones are passed over."""
        own = owner = self._places[worker]  # of the image in hand
        while True:
            number = self._take(owner)
            if number is None:
                owner, number = own, self._take_new(own)
            if number is not None:
                if not self._workload.is_done(number):
                    yield self._workload.task(number)
            elif not self._left(owner := max(self._places, key=self._left)):
                return

    def _take(self, owner: int) -> int | None:
        """Take the next task of a worker's image."""
        if self._left(owner):  # else nobody needs the lock
            with self._locks[owner]:
                if self._left(owner):
                    number = int(self._words[owner])
                    self._words[owner] = number + 1
                    return number
        return None

    def _take_new(self, own: int) -> int | None:
        """Take the first task of the next new image; enter that in the worker's word before another asks."""
        with self._locks[NEXT_IMAGE]:
            while (image := int(self._words[NEXT_IMAGE])) < self._n_images:
                self._words[NEXT_IMAGE] = image + 1
                first = self._workload.first_task(image)
                if first < self._workload.first_task(image + 1):  # else the image has no tasks
                    with self._locks[own]:
                        self._words[own] = first + 1
                    return first
        return None

    def _left(self, owner: int) -> int:
        """Return how many tasks of a worker's image nobody has taken; only that worker can raise it."""
        number = int(self._words[owner])
        return -(-number * self._n_images // self._n_tasks) * self._n_tasks // self._n_images - number
