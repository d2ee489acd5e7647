"""How Pillow reads an image: strictly, and written by others than OpenCV."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from augment.task_runner import ImageError
from experiments.inputs import native

if TYPE_CHECKING:
    from augment.task_runner import Pixels

# Those that OpenCV reads too. Never Pillow's others: its EPS, for one, starts Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
UPRIGHT, ORIENTATION = 1, 0x0112
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def read(path: Path, most_pixels: int) -> Pixels:
    """The first picture of a regular file as `experiments.inputs.inspection` has it, height × width × 3, RGB.

    Decodes nothing before its header says that it is small enough. Raises ImageError, and whatever
    Pillow's parsers hit."""
    with _undisturbed(), open(path, "rb", opener=_never_waiting) as file:
        try:
            image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ImageError("no image: no whole header of a known format") from error
        with image:
            width, height = image.size
            if width * height > most_pixels:
                raise ImageError(f"{width}x{height} pixels are more than max_image_pixels={most_pixels}")
            return _rgb(image)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Warnings of Pillow and its libraries stay unseen; its limit on pixels is off, ours decides."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings(action="ignore"), native.overheard():
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _never_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # should it have become a FIFO by now


def _rgb(image: Image.Image) -> Pixels:
    image.load()
    if (turn := TURNS.get(_orientation(image))) is not None:
        image = image.transpose(turn)
    if not image.mode.startswith("I"):
        return np.asarray(image.convert("RGB"))
    high_byte = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)  # Pillow would cut off above 255
    return np.repeat(high_byte[:, :, None], 3, axis=2)


def _orientation(image: Image.Image) -> int:
    """What the EXIF says, and nothing else: `getexif` would go by XMP too, which OpenCV does not."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return int(exif.get(ORIENTATION, UPRIGHT))
    except Exception:  # unreadable EXIF turns nothing; where OpenCV can read it, the pixels differ
        return UPRIGHT
