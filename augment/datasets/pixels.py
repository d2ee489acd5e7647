"""Pixels of datasets: uint8 arrays, height x width x 3, RGB."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

BOARD_SQUARES = 10  # along each side, as in the study
# Amplitudes of photographs fall with frequency f as f**-0.8 to f**-1.5 (Tolhurst et al. 1992). With 1.4,
# images compress as the photos do (3 to 4 bits per pixel as JPEG, 14 as PNG); with 1.0, JPEG would need 7.
SPECTRUM_SLOPE = 1.4


def synthetic(pattern: str, width: int, height: int, seed: int, index: int) -> Pixels:
    """Return image `index` of a synthetic dataset, drawn from `(seed, index)` alone."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
    if pattern == "checkerboard":
        return checkerboard(width, height, index)
    return {"noise": noise, "photo_like": photo_like}[pattern](width, height, rng)


def checkerboard(width: int, height: int, index: int) -> Pixels:
    """Return a black and white board; its first square is black if `index` is even."""
    rows, columns = (np.arange(length) * BOARD_SQUARES // length for length in (height, width))
    squares = (rows[:, None] + columns + index) % 2 * 255
    return np.repeat(squares.astype(np.uint8)[:, :, None], 3, axis=2)


def noise(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Return independent uniform values, the hardest picture to compress."""
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)[:, :, ::-1]


def photo_like(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Return smooth colourful noise with the spectrum of photographs."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf  # no constant part: the mean is set below
    white = np.fft.rfft2(rng.standard_normal((3, height, width)))
    planes = np.fft.irfft2(white / frequency**SPECTRUM_SLOPE, s=(height, width))
    light, warm, green = planes / np.maximum(planes.std(axis=(1, 2), keepdims=True), 1e-9)
    shades = np.stack([light + 0.4 * warm, light + 0.2 * green, light - 0.4 * warm], axis=2)
    return np.asarray(np.clip(115 + 50 * shades, 0, 255), np.uint8)


def rolled(photo: Pixels, repeat: int, seed: int) -> Pixels:
    """Return the photo shifted round its edges, by another shift for each `repeat`; 0 is no shift."""
    if repeat == 0:
        return photo
    height, width, _ = photo.shape
    shifts = height * width - 1  # without no shift
    # A large prime stride visits every shift once before any comes again, far from the one before.
    shift = 1 + (int(np.random.default_rng(seed).integers(shifts)) + repeat * 1_000_003) % shifts
    return np.roll(photo, divmod(shift, width), axis=(0, 1))


def fitted(photo: Pixels, width: int, height: int) -> Pixels:
    """Return the photo at this size and its own scale, cropped about its centre or tiled by mirroring."""
    rows, columns = (_mirrored(*sides) for sides in zip(photo.shape, (height, width), strict=False))
    return photo[rows[:, None], columns]


def _mirrored(have: int, want: int) -> NDArray[np.intp]:
    """Return indices into a side of `have` pixels: `want` about its centre, reflected at both ends."""
    position = (np.arange(want) + (have - want) // 2) % (2 * have)
    return np.minimum(position, 2 * have - 1 - position)
