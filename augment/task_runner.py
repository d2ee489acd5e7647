"""One process or thread at work on a job: its tasks stage by stage, with its log kept."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.util import Finalize
from typing import Any, NoReturn, Self

from augment.filesystem import is_local, printable
from augment.image_file import BadImageError, decoded, read_content
from augment.images import ImageError, Pixels, check_pixels, encode, error_line, unencodable, write
from augment.pipeline import size_check, task_seed, transformer
from augment.runtime import die_with_parent
from augment.task_log import faults
from augment.task_log.layout import READING, STAGES, Role
from augment.task_log.writer import Log
from augment.workload import Job, OnBadImage, Task

INPUT_CHANGED = "the pipeline changes its input image, which the next task may need; let it work on a copy"
READ, TRANSFORM, SEND, ENCODE, WRITE = range(len(STAGES))


class SkippedImageError(Exception):
    """The end of a task whose image is bad and to be skipped."""


class TaskRunner:
    """The stages of the tasks that one process or thread carries out, with its log kept."""

    def __init__(self, job: Job, role: Role) -> None:
        """Begin a log and apply the runtime policy."""
        import cv2

        job.runtime.apply()
        self.report: Callable[[str], object] = partial(faults.report, job.logs)  # a line on why a task failed
        self.job = job
        self.log = Log(job.logs, role, cv2.getNumThreads(), recording=job.trace)
        self._transformer = transformer(job.workload.pipeline, job.runtime.reuse_pipeline, self.log)
        self._misfit = size_check(job.workload.pipeline)
        self._bad_images = {*job.workload.bad_images}
        output = job.workload.output
        self._longest_name = os.pathconf(output, "PC_NAME_MAX") if output and is_local(output) else None
        self._noted: set[int] = set()  # images whose warnings are in the log
        self.current: Task = (0, 0)

    @contextmanager
    def task(self, image_index: int, augmentation_index: int) -> Iterator[Self]:
        """Make a task the current one. A failing one is the trial's fault and stays unfinished.

        The rest of the task is left out if `read` finds that its image is to be skipped.
        """
        self.current = (image_index, augmentation_index)
        try:
            self.log.begin(image_index, augmentation_index)
            yield self
        except SkippedImageError:
            self.log.drop()
            return
        except BadImageError as error:
            self.report(str(error))
            raise
        except BaseException as error:  # a pipeline may also exit
            process = f"{self.log.role.name.lower()} {os.getpid()}"
            task = f"task {self.current} of {printable(self.job.workload.inputs.names[image_index])}"
            self.report(f"{error_line(error)}; {process} at {task}")
            raise
        self.log.end()

    def iter_tasks(self, tasks: Iterable[Task]) -> Iterator[None]:
        """Run tasks lazily and save each result; reuse the image of the previous task if it is the same."""
        previous_index = None
        for image_index, augmentation_index in tasks:
            with self.task(image_index, augmentation_index):
                if image_index != previous_index:
                    pixels, previous_index = self.read(), image_index
                self.save(self.transform(pixels))
            yield

    def run_tasks(self, tasks: Iterable[Task]) -> None:
        """Run tasks one after the other, as `iter_tasks` does."""
        for _ in self.iter_tasks(tasks):
            pass

    def read(self) -> Pixels:
        """Return the image of the current task: stage `read`.

        Raises OSError, and for a bad image SkippedImageError or BadImageError, which names the option.
        """
        image_index, workload = self.current[0], self.job.workload
        if image_index in self._bad_images:
            raise SkippedImageError
        before_s = self._cpu_s()
        try:
            content = read_content(workload.inputs[image_index])
            self.log.decoding(True)
            image = decoded(content, workload.max_image_pixels)
            self.log.decoding(False)
            self._check_fit(image.pixels)
        except BadImageError as error:
            self._refuse(str(error))
        if image.warnings and image_index not in self._noted:
            self._noted.add(image_index)
            for text in image.warnings:
                self.log.note(image_index, text, is_bad=False)
        self.log.lap(READ, self._cpu_s() - before_s)
        return image.pixels

    def _check_fit(self, pixels: Pixels) -> None:
        """Raise BadImageError if the image does not suit the pipeline, or its name the output folder."""
        workload, (height, width, _) = self.job.workload, pixels.shape
        if reason := self._misfit(width, height):
            raise BadImageError(reason)
        last = workload.augmentations(self.current[0])[-1]
        longest = workload.output_name(self.current[0], last).rpartition("/")[2]
        if self._longest_name and len(os.fsencode(longest)) > self._longest_name:
            raise BadImageError("name too long for its augmentations")
        if workload.output and (reason := unencodable(width, height, longest)):
            raise BadImageError(reason)

    def _refuse(self, reason: str) -> NoReturn:
        """Raise SkippedImageError for the current image and note it, or BadImageError."""
        image_index, workload = self.current[0], self.job.workload
        if workload.on_bad_image is OnBadImage.fail:
            name = printable(workload.inputs.names[image_index])
            raise BadImageError(f"on_bad_image=fail: {name}: {reason}; on_bad_image=skip leaves it out")
        self._bad_images.add(image_index)
        self.log.note(image_index, reason, is_bad=True)
        raise SkippedImageError

    def read_all(self) -> dict[int, Pixels]:
        """Return the images with missing outputs by index, for a master that sends pixels to its workers."""
        workload = self.job.workload
        images = {}
        for image_index in range(len(workload.inputs)):
            if workload.augmentations(image_index):
                with self.task(image_index, READING):
                    images[image_index] = self.read()
        return images

    def transform(self, pixels: Pixels) -> Pixels:
        """Return the augmented image of the current task: stage `transform`.

        Raises ImageError if the pipeline returns no image or writes into the one that it is given.
        """
        pixels.flags.writeable = False  # the next task may need them
        try:
            augmented = self._transformer(task_seed(self.job.workload.seed, *self.current), pixels)
        except Exception as error:
            is_known = isinstance(error, ValueError) or type(error).__module__ == "cv2"
            if is_known and re.search("read-?only", str(error)):  # in words of NumPy, or of OpenCV
                raise ImageError(INPUT_CHANGED) from error
            raise
        check_pixels(augmented)
        self.log.lap(TRANSFORM)
        return augmented

    def send(self, queue: Any, item: object) -> None:
        """Put an item into the queue of another process: stage `send`."""
        queue.put(item)
        self.log.lap(SEND)

    def save(self, pixels: Pixels) -> None:
        """Encode and write the output of the current task, if the workload saves its outputs."""
        workload = self.job.workload
        if workload.output is None:
            return
        name = workload.output_name(*self.current)
        encoded = encode(pixels, name, workload.output_quality)
        self.log.lap(ENCODE)
        before_s = self._cpu_s()
        write(workload.output, name, encoded)
        self.log.lap(WRITE, self._cpu_s() - before_s)

    def _cpu_s(self) -> float:
        """Return the CPU seconds of this thread so far, if its tasks are recorded."""
        return time.thread_time() if self.log.recording else 0.0


_runner: TaskRunner | None = None


def open_task_runner(job: Job, role: Role) -> None:
    """Make this process one of the job's. Every process that a strategy starts calls this first.

    The process dies with its parent, keeps a log and applies the runtime policy.
    """
    global _runner
    die_with_parent()
    try:
        _runner = TaskRunner(job, role)
    except Exception as error:
        faults.report(job.logs, f"{error_line(error)}; {role.name.lower()} {os.getpid()} at its start")
        raise
    Finalize(None, _runner.log.complete, exitpriority=10)


def task_runner() -> TaskRunner:
    """Return the runner that this process has opened."""
    if _runner is None:
        raise RuntimeError("no runner in this process: start it with open_task_runner as its initializer")
    return _runner
