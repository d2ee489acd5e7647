"""The pixels that datasets are made of: uint8 arrays of height x width x 3, channels in OpenCV's order."""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from augment.images import decode

Pixels = NDArray[np.uint8]

BOARD = 10  # squares along each side of the study's board
SLOPE = 1.4


def synthetic(pattern: str, width: int, height: int, seed: int, index: int) -> Pixels:
    """Image `index` of a synthetic dataset, drawn from `(seed, index)` alone."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    if pattern == "checkerboard":
        return checkerboard(width, height, index)
    return {"noise": noise, "photo_like": photo_like}[pattern](width, height, rng)


def checkerboard(width: int, height: int, index: int) -> Pixels:
    """A 10 x 10 black and white board; its first square is black for even `index`, white for odd."""
    rows, columns = (np.arange(length) * BOARD // length for length in (height, width))
    squares = (rows[:, None] + columns + index) % 2 * 255
    return np.repeat(squares.astype(np.uint8)[:, :, None], 3, axis=2)


def noise(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Independent uniform values: the hardest picture to compress."""
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo_like(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Smooth colourful noise whose amplitude falls with frequency f as that of photographs does.

    They fall as f**-0.8 to f**-1.5 (Tolhurst et al. 1992). With SLOPE it compresses like the photos of
    `augment.datasets.photos`, to 3 or 4 bits per pixel as JPEG and 14 as PNG; with 1.0, JPEG would need 7.
    """
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf  # no constant part: the mean is set below
    white = np.fft.rfft2(rng.standard_normal((3, height, width)))
    planes = np.fft.irfft2(white / frequency**SLOPE, s=(height, width))
    light, warm, green = planes / np.maximum(planes.std(axis=(1, 2), keepdims=True), 1e-9)
    shades = np.stack([light - 0.4 * warm, light + 0.2 * green, light + 0.4 * warm], axis=2)
    return np.asarray(np.clip(115 + 50 * shades, 0, 255), np.uint8)


def rolled(photo: Pixels, repeat: int, seed: int) -> Pixels:
    """`photo` shifted round its edges: by another shift for each `repeat`, none for 0, from `seed` on."""
    if repeat == 0:
        return photo
    height, width, _ = photo.shape
    shifts = height * width - 1  # all but "not at all"
    # A large prime stride visits every shift once before any comes again, far from the one before.
    shift = 1 + (int(np.random.default_rng(seed).integers(shifts)) + repeat * 1_000_003) % shifts
    return np.roll(photo, divmod(shift, width), axis=(0, 1))


def fitted(photo: Pixels, width: int, height: int) -> Pixels:
    """`photo` at exactly this size and its own scale: cropped about the centre, or tiled by mirroring."""
    rows, columns = (_mirrored(have, want) for have, want in zip(photo.shape, (height, width), strict=False))
    return photo[rows[:, None], columns]


def _mirrored(have: int, want: int) -> NDArray[np.intp]:
    """Indices into a side of `have` pixels for `want` pixels about its centre, reflected at both ends."""
    position = (np.arange(want) + (have - want) // 2) % (2 * have)
    return np.minimum(position, 2 * have - 1 - position)


def load(path: Path) -> Pixels:
    """The picture in `path`. Raises ImageError when there is none."""
    return decode(path)[:, :, ::-1]


def save(path: Path, pixels: Pixels) -> None:
    """Encode by the suffix of `path` with OpenCV's defaults (JPEG quality 95) and write it.

    Raises ValueError when the format cannot hold such a picture.
    """
    encoded, data = cv2.imencode(path.suffix, pixels)
    if not encoded:
        raise ValueError(f"OpenCV cannot encode it as {path.suffix}")
    write(path, data.tobytes())


def write(path: Path, data: bytes) -> None:
    """Write through to the disk, so that a cache survives a power cut whole or not at all."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
