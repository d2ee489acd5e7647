"""Child processes, in which a decoder that crashes, hangs or asks for all memory costs only its file."""

import multiprocessing
import os
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any

import cv2
import psutil
from pebble import ProcessExpired, ProcessFuture, ProcessPool
from PIL import Image

from augment.datasets.base import Size
from augment.runtime import ONE_THREAD, die_with_parent
from experiments.host.environment import usable_cpus

FILES_PER_PROCESS = 32  # fewer are not worth the start of another
FILES_AHEAD = 16  # scheduled per process, so that a slow file does not stop the others
# What both decoders and the file may take: a 16-bit animated PNG needs 30 a pixel, and the file's own.
BYTES_PER_PIXEL, BYTES_BESIDES = 48, 1 << 28


def outcomes(
    vet: Callable[..., Size | str], calls: Sequence[tuple[Any, ...]], most_pixels: int, limit_s: float
) -> list[Size | str]:
    """What `vet` returns for the arguments of each call, or why it does not: it took more than
    `limit_s` seconds, its process being ready, or ended that. Raises RuntimeError when none starts.

    However this ends, no process is left but multiprocessing's idle resource tracker."""
    by_memory = psutil.virtual_memory().available // (most_pixels * BYTES_PER_PIXEL)
    processes = max(1, min(usable_cpus(), len(calls) // FILES_PER_PROCESS, by_memory))
    with process_pool(processes, most_pixels) as pool:
        futures = (pool.schedule(vet, call, timeout=limit_s) for call in calls)
        scheduled = deque(islice(futures, processes * FILES_AHEAD))
        gathered = []
        while scheduled:
            gathered.append(_outcome(scheduled.popleft(), limit_s))
            scheduled.extend(islice(futures, 1))
    return gathered


@contextmanager
def process_pool(processes: int, most_pixels: int) -> Iterator[ProcessPool]:
    """Processes for decoders; when the context is left, all have ended."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")  # else each child starts a thread per CPU and library
    pool = ProcessPool(processes, initializer=_prepare, initargs=(most_pixels,))
    start_method = multiprocessing.get_start_method(allow_none=True)
    try:
        multiprocessing.set_start_method("spawn", force=True)  # children do not know that of joblib's workers
        resource_tracker.ensure_running()  # now, because its start unblocks SIGINT
        signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pool.schedule(os.getpid)  # starts the children; they inherit the mask: Ctrl-C is for the parent
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        yield pool
    except RuntimeError as error:  # pebble's; the cause is what a child has printed
        raise RuntimeError(f"images cannot be vetted, the processes for it fail: {error}") from error
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        multiprocessing.set_start_method(start_method, force=True)


def _prepare(most_pixels: int) -> None:
    """Has this child end with its parent, and at once; limits its memory to what an image of
    `most_pixels` needs; spares its core file."""
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pebble's handler would wait for the decoder
    Image.MAX_IMAGE_PIXELS = None  # `most_pixels` decides
    cv2.setNumThreads(1)  # the address space of a thread's stack and heap counts too
    needed = psutil.Process().memory_info().vms + most_pixels * BYTES_PER_PIXEL + BYTES_BESIDES
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcome(future: ProcessFuture[Size | str], limit_s: float) -> Size | str:
    try:
        return future.result()
    except TimeoutError:
        return f"not decoded within {limit_s:g} s"
    except ProcessExpired as error:
        cause = signal.Signals(-error.exitcode).name if error.exitcode < 0 else f"status {error.exitcode}"
        return f"kills the decoder: {cause}"
