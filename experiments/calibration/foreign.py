"""Pipelines as users write them: functions that share no code with the loads of the suite.

Each factory is a pipeline of `library: callable`. A task takes tens of milliseconds, as one does if
nothing is planted.
"""

import fcntl
import io
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HELD_S = 0.02  # of the lock, by a task
SIDE, REPEATS = 64, 200  # arrays so small that malloc keeps them: larger ones cost page faults
LOCK_SHARE = 0.2  # of the time of two workers of which one waits for the other's lock

Augment = Callable[[NDArray[Any]], NDArray[Any]]


def numpy_only(seed: int) -> Augment:
    """Return a function that blurs noise in NumPy's Fourier space; nothing is lost by workers."""

    def augment(image: NDArray[Any]) -> NDArray[Any]:
        noise, low_pass = np.random.default_rng(seed).random((SIDE, SIDE)), np.linspace(1, 0, SIDE // 2 + 1)
        for _ in range(REPEATS):
            noise = np.fft.irfft2(np.fft.rfft2(noise) * low_pass)
        return np.asarray(image + (noise.mean() > 1), image.dtype)

    return augment


def pillow_decode(seed: int) -> Augment:
    """Return a function that decodes a JPEG with Pillow; nothing is lost by workers."""

    def augment(image: NDArray[Any]) -> NDArray[Any]:
        for _ in range(REPEATS):
            Image.open(io.BytesIO(_jpeg())).load()
        return image.copy()

    return augment


def file_lock(seed: int) -> Augment:
    """Return a function that holds a lock of all processes for HELD_S, and then is busy without it.

    Of two workers that take turns, each waits for the share L of the time 2 h if it is busy for h (1 - 2 L).
    """

    def augment(image: NDArray[Any]) -> NDArray[Any]:
        with (Path(tempfile.gettempdir()) / "calibration.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _spin(HELD_S)
        _spin(HELD_S * (1 - 2 * LOCK_SHARE))
        return image.copy()

    return augment


def _spin(seconds: float) -> None:
    """Sort numbers for so much CPU time of this thread."""
    numbers, end = np.arange(1000)[::-1], time.thread_time() + seconds
    while time.thread_time() < end:
        np.sort(numbers)


@cache
def _jpeg() -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()
