"""Workers, processes or threads, that take their next task themselves: no master, no pixels that travel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any

from augment.strategies.base import Strategy, master, run_workers
from augment.task_log.layout import Role
from augment.task_runner import TaskRunner
from augment.workload import Job, Task, Workload


@dataclass
class Dynamic(Strategy):
    """Workers that take a new image and do its tasks; without new images, they join another worker's image.

    They join the image with most tasks left. A task is taken by counting up a word that all workers share.
    """

    name = "dynamic"

    def run(self, job: Job) -> None:
        context = job.runtime.context
        with master(job):
            shared = context.RawArray("q", word_count(job.workers))
            run_workers([job] * job.workers, _work, Claims(job.workload, job.workers, shared, context.Lock()))


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
        claims = Claims(job.workload, job.workers, [0] * word_count(job.workers), Lock())
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
    return 2 * workers + 1


class Claims:
    """The tasks that are taken, in words that the workers share: as many for a million files as for one.

    Tasks are numbered over all images. Each worker has two words: the next task of its image, and the first
    of the next image. The last word counts the images taken. One lock serves all: to claim a task took 64
    workers on two CPUs 0.8 microseconds, and 0.4 with a lock for each worker (medians of five).
    """

    def __init__(
        self, workload: Workload, workers: int, words: Any, lock: AbstractContextManager[Any]
    ) -> None:
        """Begin with no task taken; `words` are `word_count(workers)` zeros."""
        self._workload, self._words, self._lock = workload, words, lock
        self._places = range(0, 2 * workers, 2)

    def tasks(self, worker: int) -> Iterator[Task]:
        """Yield the tasks of a worker, each taken when it is asked for; done ones are passed over."""
        own = owner = self._places[worker]  # of the image in hand
        while True:
            with self._lock:
                if not self._left(owner):
                    owner = own if self._begin_image(own) else max(self._places, key=self._left)
                if not self._left(owner):
                    return
                number = int(self._words[owner])
                self._words[owner] = number + 1
            if not (self._workload.done and self._workload.done[number]):
                yield self._workload.task(number)

    def _begin_image(self, own: int) -> bool:
        """Let a worker begin the next new image that has tasks; return False if there is none."""
        while (image := int(self._words[-1])) < len(self._workload.inputs):
            self._words[-1] = image + 1
            self._words[own : own + 2] = [self._workload.first_task(image + each) for each in (0, 1)]
            if self._left(own):
                return True
        return False

    def _left(self, owner: int) -> int:
        """Return how many tasks of a worker's image nobody has taken."""
        return int(self._words[owner + 1] - self._words[owner])
