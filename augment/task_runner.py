"""One process or thread at work on a job: its tasks stage by stage, with its log kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from cProfile import Profile
from functools import cached_property, partial
from itertools import count
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.images import ImageError, check_pixels, decode, encode, error_line, write
from augment.pipeline import task_seed
from augment.runtime import Pin, bind, die_with_parent, opencv_threads_in_force, os_threads
from augment.task_log import faults
from augment.task_log.layout import READING, STAGES, Role
from augment.task_log.writer import Log
from augment.transformer import Transformer, transformer
from augment.workload import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from augment.images import Pixels

WRITES = "the pipeline writes into the image that it is given, which the next task gets too: let it copy"
READ, TRANSFORM, SEND, ENCODE, WRITE = range(len(STAGES))


class TaskRunner:
    """One process or thread at work on a job: the stages of its tasks, with its log kept."""

    def __init__(self, job: Job, role: Role, numbers: Path | None = None) -> None:
        """`numbers`: the folder in which the workers of a machine number themselves; that of the logs, if not
        given."""
        if job.runtime.pin is not Pin.none and role in (Role.WORKER, Role.SAVER):
            numbers = numbers or job.logs
            bind(job.runtime.pin, next(number for number in count() if _claim(numbers / f"{number}.number")))
        job.runtime.apply()
        self.report: Callable[[str], object] = partial(faults.report, job.logs)  # a line on why a task failed
        self._job, self._workload = job, job.workload
        self.log = Log(job.logs, role, recording=job.trace)
        self.log.ready(opencv_threads_in_force(), os_threads())
        self.current = (0, 0)  # the task under way, image and augmentation

    @cached_property
    def _transformer(self) -> Transformer:
        """The random transform. Savers need none, and its import of albumentations takes a second."""
        return transformer(self._workload.pipeline, self._job.runtime.reuse_pipeline, self.log)

    def leave(self) -> None:
        """Nothing more will be done here: completes the log."""
        self.log.leave()

    @contextmanager
    def task(self, image_index: int, augmentation_index: int) -> Iterator[TaskRunner]:
        """Everything done inside belongs to this task. A task that fails is reported as
        the trial's fault and stays unfinished in the log."""
        self.current = (image_index, augmentation_index)
        try:
            self.log.begin(image_index, augmentation_index)
            yield self
        except BaseException as error:  # a pipeline may also exit
            process = f"{self.log.role.name.lower()} {os.getpid()}"
            self.report(f"{error_line(error)}; {process} at task {self.current}")
            raise
        self.log.end()

    def begin_turn(self, number: int, neighbour: str) -> None:
        """Record that the next tasks are of round `number` and run beside this kind of neighbours."""
        self.log.begin_turn(number, neighbour)

    def read(self) -> Pixels:
        """Stage `read`: the task's image, height × width × 3, RGB."""
        before_s = self._cpu_s()
        pixels = decode(self._workload.inputs[self.current[0]])
        self.log.lap(READ, self._cpu_s() - before_s)
        return pixels

    def read_all(self) -> list[Pixels]:
        """Every image of the workload, as a master reads them that sends pixels to its workers."""
        images = []
        for image_index in range(len(self._workload.inputs)):
            with self.task(image_index, READING):
                images.append(self.read())
        return images

    def transform(self, pixels: Pixels) -> Pixels:
        """Stage `transform`: makes the task's random transform and applies it. Raises ImageError where what
        comes of it is no image."""
        pixels.flags.writeable = False  # they are the next task's too
        try:
            augmented = self._transformer(task_seed(self._workload.seed, *self.current), pixels)
        except ValueError as error:
            if "read-only" in str(error):
                raise ImageError(WRITES) from error
            raise
        check_pixels(augmented)
        self.log.lap(TRANSFORM)
        return augmented

    def send(self, queue: Any, item: object) -> None:
        """Stage `send`: hands something over to another process."""
        queue.put(item)
        self.log.lap(SEND)

    def save(self, pixels: Pixels) -> None:
        """Stages `encode` and `write`, if the workload saves its outputs."""
        if self._workload.output is None:
            return
        name = self._workload.output_name(*self.current)
        encoded = encode(pixels, name)
        self.log.lap(ENCODE)
        before_s = self._cpu_s()
        write(self._workload.output, name, encoded)
        self.log.lap(WRITE, self._cpu_s() - before_s)

    def _cpu_s(self) -> float:
        """CPU seconds of this thread so far, where the tasks are recorded."""
        return time.thread_time() if self.log.recording else 0.0


def tasks_done(runner: TaskRunner, tasks: Iterable[tuple[int, int]]) -> Iterator[None]:
    """Run tasks lazily and save each result; reuse the image of the previous task if it is the same."""
    in_hand = None
    for image_index, augmentation_index in tasks:
        with runner.task(image_index, augmentation_index):
            if image_index != in_hand:
                pixels, in_hand = runner.read(), image_index
            runner.save(runner.transform(pixels))
        yield


def do_tasks(runner: TaskRunner, tasks: Iterable[tuple[int, int]]) -> None:
    """Run tasks one after the other: see `tasks_done`."""
    for _ in tasks_done(runner, tasks):
        pass


_runner: TaskRunner | None = None


def open_task_runner(job: Job, role: Role) -> None:
    """Makes this process one of the job's: dies with its parent, keeps a log, obeys the runtime
    policy. Every process that a strategy starts calls this first."""
    global _runner
    die_with_parent()
    try:
        _runner = TaskRunner(job, role)
    except Exception as error:
        faults.report(job.logs, f"{error_line(error)}; {role.name.lower()} {os.getpid()} at its start")
        raise
    Finalize(None, _runner.leave, exitpriority=10)
    if job.profiles and role is Role.WORKER and _claim(path := job.profiles / "worker.pstats"):
        profile = Profile()
        Finalize(None, profile.dump_stats, (path,), exitpriority=20)
        profile.enable()


def task_runner() -> TaskRunner:
    """The runner that this process has opened."""
    if _runner is None:
        raise RuntimeError("no runner in this process: start it with open_task_runner as its initializer")
    return _runner


def _claim(path: Path) -> bool:
    """Makes an empty file; False where another process was first."""
    with suppress(FileExistsError):
        path.touch(exist_ok=False)
        return True
    return False
