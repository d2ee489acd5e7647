"""One task, stage by stage: read, transform, encode and write exist here and only here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EMFILE
from itertools import count
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from augment.option import OptionError
from augment.pipeline import build, task_seed
from augment.recording import fault
from augment.recording.log import READING, STAGES, Log, Role
from augment.recording.profiling import profile_first
from augment.recording.transform_timer import time_leaves
from augment.runtime import bind, die_with_parent, opencv_threads_in_force, os_threads
from augment.workload import Job

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from augment.strategies.instruments.probes import Load

    Pixels = NDArray[np.uint8]

READ, TRANSFORM, SEND, ENCODE, WRITE = range(len(STAGES))


class ImageError(ValueError):
    """A file that cannot be read as an image."""


class OutputError(OSError):
    """An augmented image that cannot be encoded or written."""


class Bench:
    """One process at work on a job: the stages of its tasks, with its log kept."""

    def __init__(self, job: Job, role: Role) -> None:
        job.runtime.apply()
        self._workload = job.workload
        self._logs = job.logs
        self._log = Log(job.logs, role, recording=job.trace)
        self._log.ready(opencv_threads_in_force(), os_threads())
        self._task = (0, 0)

    def leave(self) -> None:
        """Nothing more will be done here: completes the log."""
        self._log.leave()

    @contextmanager
    def task(self, image_index: int, augmentation_index: int) -> Iterator[Bench]:
        """Everything done inside belongs to this task. A task that fails is reported as
        the trial's fault and stays unfinished in the log."""
        self._task = (image_index, augmentation_index)
        try:
            self._log.begin(image_index, augmentation_index)
            yield self
        except Exception as error:
            fault.report(
                self._logs,
                f"{error_line(error)}; {self._log.role.name.lower()} {os.getpid()} at task {self._task}",
            )
            raise
        self._log.end()

    def read(self) -> Pixels:
        """Stage `read`: the task's image, height × width × 3, RGB."""
        pixels = decode(self._workload.inputs[self._task[0]])
        self._log.lap(READ)
        return pixels

    def read_all(self) -> list[Pixels]:
        """Every image of the workload, as a master reads them that sends pixels to its workers."""
        images = []
        for image_index in range(len(self._workload.inputs)):
            with self.task(image_index, READING):
                images.append(self.read())
        return images

    def transform(self, pixels: Pixels) -> Pixels:
        """Stage `transform`: builds the task's random transform and applies it."""
        transform = build(self._workload.pipeline, task_seed(self._workload.seed, *self._task))
        if self._log.timing:
            time_leaves(transform, self._log)
        augmented = transform(image=pixels)
        self._log.lap(TRANSFORM)
        return cast("Pixels", augmented["image"])

    def probe(self, load: Load) -> None:
        """No stage of an augmentation: loads the machine to see what it gives."""
        load()
        self._log.lap(TRANSFORM)

    def send(self, queue: Any, item: object) -> None:
        """Stage `send`: hands something over to another process."""
        queue.put(item)
        self._log.lap(SEND)

    def save(self, pixels: Pixels) -> None:
        """Stages `encode` and `write`, if the workload saves its outputs."""
        if self._workload.output is None:
            return
        name = self._workload.output_name(*self._task)
        encoded = encode(pixels, name)
        self._log.lap(ENCODE)
        write(self._workload.output, name, encoded)
        self._log.lap(WRITE)


def error_line(error: BaseException) -> str:
    """An exception on one line: our own errors as they are, the system's with their cause first,
    others with their type."""
    if isinstance(error, OSError) and error.strerror:
        hint = "; raise the limit: ulimit -n" if error.errno == EMFILE else ""
        return f"{error.strerror.lower()}: {error.filename or type(error).__name__}{hint}"
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, ImageError | OutputError | OptionError)
        else f"{type(error).__name__}: {text}"
    )


_bench: Bench | None = None


def open_bench(job: Job, role: Role) -> None:
    """Makes this process one of the job's: dies with its parent, keeps a log, obeys the runtime
    policy. Every process that a strategy starts calls this first."""
    global _bench
    die_with_parent()
    try:
        if job.runtime.pin != "none" and role in (Role.WORKER, Role.SAVER):
            bind(job.runtime.pin, _next_number(job.logs))
        _bench = Bench(job, role)
    except Exception as error:
        fault.report(job.logs, f"{error_line(error)}; {role.name.lower()} {os.getpid()} at its start")
        raise
    Finalize(None, _bench.leave, exitpriority=10)
    if job.profiles and role is Role.WORKER:
        profile_first(job.profiles, "worker")


def _next_number(logs: Path) -> int:
    """0, 1, … for the processes of a job that ask, each its own."""
    for number in count():
        with suppress(FileExistsError):
            (logs / f"{number}.number").touch(exist_ok=False)
            return number
    raise AssertionError("count() does not end")


def bench() -> Bench:
    """The bench that this process has opened."""
    if _bench is None:
        raise RuntimeError("no bench in this process: start it with open_bench as its initializer")
    return _bench


def decode(path: Path) -> Pixels:
    """The image in a file, height × width × 3, uint8, RGB. Raises ImageError."""
    import cv2
    import numpy as np

    data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every name that a file may have
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is not None:
            return cast("Pixels", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    except cv2.error as error:  # more pixels than OpenCV allows, or than there is memory for
        raise ImageError(f"{path}: OpenCV cannot decode it: {error.err}") from error
    raise ImageError(f"{path}: OpenCV cannot decode it")


def encode(pixels: Pixels, name: str) -> Pixels:
    """The bytes of an RGB image in the format of the name's extension. Raises OutputError."""
    import cv2

    try:
        done, encoded = cv2.imencode(Path(name).suffix.lower(), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise OutputError(f"{name}: cannot be encoded: {error.err}") from error
    if not done:
        raise OutputError(f"{name}: cannot be encoded")
    return cast("Pixels", encoded)


def write(folder: Path, name: str, encoded: Pixels) -> None:
    """Writes aside and renames, so that a file under its name is whole. Raises OutputError with
    the file and the cause."""
    aside = folder / f".{os.getpid()}.part"
    try:
        with open(aside, "wb") as file:
            file.write(encoded.data)
        os.replace(aside, folder / name)
    except OSError as error:
        with suppress(OSError):  # the first error is the one to tell
            aside.unlink(missing_ok=True)
        raise OutputError(f"{(error.strerror or str(error)).lower()}: {name} cannot be written") from error
