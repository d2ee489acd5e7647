"""A child process that looks into image files, one at a time: a file at which a decoder crashes,
hangs or asks for all memory costs this child, not the sweep.

Started as `python -m experiments.inputs.inspector SOCKET MOST_PIXELS PARENT_PID PIPELINE`; is sent paths,
answers with `[width, height]` or a reason, in JSON."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from functools import cache
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

import numpy as np

from augment.datasets.base import Size
from augment.runtime import die_with_parent
from augment.task_runner import ImageError
from experiments import ROOT
from experiments.inputs.inspection import inspect
from experiments.measure.supervisor import ONE_THREAD

CHILD = ("-m", "experiments.inputs.inspector")
READY = b"ready"
START_LIMIT_S = 60.0  # for importing the libraries
# What both decoders and the file may take: a 16-bit animated PNG needs 30 a pixel, and the file's own.
BYTES_PER_PIXEL, BYTES_BESIDES = 48, 1 << 28
SMALL = 32  # pixels a side, below which transforms may lack room

Verdict = Size | str


class Inspector:
    """The parent's side: gives files, collects verdicts, replaces a child that a file has ended."""

    def __init__(self, most_pixels: int, pipeline: str, limit_s: float) -> None:
        self._most_pixels, self._pipeline, self._limit_s = most_pixels, pipeline, limit_s
        self.number, self.deadline = 0, 0.0  # of the file in hand
        self._start()

    def _start(self) -> None:
        self._ready = False
        self.pipe, theirs = Pipe()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  `end` closes it
        words = map(str, (theirs.fileno(), self._most_pixels, os.getpid(), self._pipeline))
        environment = dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": str(ROOT)}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *CHILD, *words],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[theirs.fileno()],
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C is the parent's to answer
            )

    def give(self, number: int, file: Path) -> None:
        """Has the child look into a file. Raises RuntimeError when no child can be had."""
        if self.pipe.closed:
            self._start()
        if not self._ready:
            self._wait_until_ready()
        self.number, self.deadline = number, time.monotonic() + self._limit_s
        self.pipe.send_bytes(os.fsencode(file.absolute()))

    def collect(self) -> Verdict:
        """Size or reason of the file in hand, once `pipe` has news or `deadline` is over."""
        if not self.pipe.poll():
            self.end()
            return f"not decoded within {self._limit_s:g} s"
        try:
            answer = json.loads(self.pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            return f"kills the decoder: {self._end_of_its_own()}"
        return answer if isinstance(answer, str) else (int(answer[0]), int(answer[1]))

    def end(self) -> None:
        """Kills the child, if there is one, and waits until it is gone."""
        self._process.kill()
        self._process.wait()
        self.pipe.close()
        self._said.close()

    def _wait_until_ready(self) -> None:
        try:
            self._ready = self.pipe.poll(START_LIMIT_S) and self.pipe.recv_bytes() == READY
            cause = f"not ready within {START_LIMIT_S:g} s"
        except (EOFError, ConnectionResetError):
            cause = self._end_of_its_own()
        if not self._ready:
            raise RuntimeError(f"images cannot be inspected: the process for it failed: {cause}")

    def _end_of_its_own(self) -> str:
        """What the child died of: a signal, or its status and the last it said."""
        status = self._process.wait()
        self._said.seek(0)
        last_words = self._said.read().decode(errors="backslashreplace").splitlines()[-1:]
        self.end()
        return signal.Signals(-status).name if status < 0 else ": ".join([f"status {status}", *last_words])


def main(socket: int, most_pixels: int, parent_pid: int, pipeline: str) -> None:
    """The child's side."""
    die_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the process that asked has ended")
    limit_memory(most_pixels)
    with Connection(socket) as pipe:
        pipe.send_bytes(READY)
        while True:
            try:
                file = Path(os.fsdecode(pipe.recv_bytes()))
            except EOFError:
                return
            pipe.send_bytes(json.dumps(verdict(file, most_pixels, pipeline)).encode())


def verdict(file: Path, most_pixels: int, pipeline: str) -> Verdict:
    """Size or reason of a file."""
    try:
        size = inspect(file, most_pixels)
        return misfit(pipeline, *size) or size
    except ImageError as error:
        return str(error)
    except MemoryError:
        return f"needs more memory than an image of max_image_pixels={most_pixels}"


@cache
def misfit(pipeline: str, width: int, height: int) -> str | None:
    """Why an image is too small for one of the pipeline's transforms (JSON); None if it is not."""
    if min(width, height) >= SMALL:
        return None
    from augment.pipeline import leaves

    for transform in leaves(json.loads(pipeline)):
        try:
            transform(image=np.zeros((height, width, 3), np.uint8))
        except Exception as error:  # whatever a library does with too few pixels
            return f"{width}x{height} pixels are too small for {type(transform).__name__}: {error}"
    return None


def limit_memory(most_pixels: int) -> None:
    """From now on this process gets the memory that an image of so many pixels needs, no more, and
    its death leaves no core file."""
    import cv2

    cv2.setNumThreads(1)  # the address space of a thread's stack and heap counts too
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    own = pages * resource.getpagesize() + most_pixels * BYTES_PER_PIXEL + BYTES_BESIDES
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = own if hard == resource.RLIM_INFINITY else min(own, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
