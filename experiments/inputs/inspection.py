"""Whether a file holds an image that is augmented rightly, found out without trusting the file.

Two independent decoders must agree on the pixels: OpenCV's, which the tasks use, and Pillow's, which
is strict where OpenCV fills in what is missing. What a good file gives, in height × width × 3 RGB:

- 16 bits a channel: the high byte of each value. Gray or black and white: three equal channels.
- Alpha, or a transparent colour of a palette: dropped, the colours beneath it stay as they are.
- Palette: its colours. CMYK and YCCK JPEG: converted without a colour profile. Profiles and gamma
  are not applied to any image.
- Rotation or mirroring by EXIF: applied (not by XMP). Animated, or several pages: the first picture only.
- A name that lies about the format (a WebP called .jpg): read as what it is, if it is one of FORMATS;
  outputs are in the format of the name.

All else is bad, for a reason. Damage that a format cannot notice (JPEG has no checksum) may pass.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.Image import Transpose

from augment.datasets.base import Size
from augment.image_io import ImageError, decode
from experiments.inputs.c_stderr import INVENTED_PIXELS, captured_stderr
from experiments.inputs.content import open_regular

# Those that OpenCV reads too. Never Pillow's others: its EPS, for one, starts Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
ORIENTATION = 0x0112
TURNS = {  # of orientations
    **{2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM},
    **{5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90},
}
JPEG_SUFFIXES, JPEG_SIDE = (".jpg", ".jpeg"), 65_500  # libjpeg's JPEG_MAX_DIMENSION
TOLERANCE = 2.0  # of 255, on average; the decoders' CMYK differs by 1, a wrong rotation by far more
LONGEST_REASON = 200  # characters; libraries may quote the file

Pixels = NDArray[np.uint8]


def inspect(path: Path, most_pixels: int) -> Size:
    """Width and height, in pixels, of what `augment.task_runner.decode` gives for a file.

    Opens regular files only, and decodes only up to `most_pixels`. Raises ImageError with a reason
    of one line (without the path) and MemoryError. Needs a process of its own: warnings and stderr are
    silenced meanwhile, Pillow's own limit must be off, a decoder may crash or hang."""
    try:
        with warnings.catch_warnings(action="ignore"), captured_stderr() as messages:
            expected = _decode_by_pillow(path, most_pixels)
            messages()  # what matters in them, Pillow raises
            pixels = _decode_by_opencv(path, messages)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # whatever parsers hit: OSError, struct.error, KeyError, SyntaxError, …
        dangling = isinstance(error, FileNotFoundError) and path.is_symlink()
        raise ImageError("a link that leads nowhere" if dangling else _reason(error)) from error
    height, width, _ = pixels.shape
    if pixels.shape != expected.shape:
        by_pillow = f"{expected.shape[1]}x{expected.shape[0]} by Pillow"
        raise ImageError(f"read differently: {width}x{height} pixels by OpenCV, {by_pillow}")
    if (difference := cv2.norm(pixels, expected, cv2.NORM_L1) / pixels.size) > TOLERANCE:
        raise ImageError(f"read differently: OpenCV's and Pillow's pixels are {difference:.0f} of 255 apart")
    if path.suffix.lower() in JPEG_SUFFIXES and max(width, height) > JPEG_SIDE:
        raise ImageError(f"{width}x{height} pixels: no JPEG can have them, as its name asks of its outputs")
    return width, height


def _decode_by_pillow(path: Path, most_pixels: int) -> Pixels:
    """The first picture. Decodes nothing before the header shows that it is small enough."""
    with open_regular(path) as file:
        if not os.fstat(file.fileno()).st_size:
            raise ImageError("empty")
        try:
            image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise ImageError("no image: no whole header of a known format") from error
        with image:
            if image.width * image.height > most_pixels:
                size = f"{image.width}x{image.height}"
                raise ImageError(f"{size} pixels are more than max_image_pixels={most_pixels}")
            image.load()
            turn = TURNS.get(_orientation(image))
            return _rgb(image if turn is None else image.transpose(turn))


def _orientation(image: Image.Image) -> int:
    """What the EXIF has, and nothing else: `getexif` would go by XMP too, which OpenCV does not."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return int(exif.get(ORIENTATION, 1))
    except Exception:  # unreadable EXIF turns nothing; where OpenCV can read it, the pixels differ
        return 1


def _rgb(image: Image.Image) -> Pixels:
    if not image.mode.startswith("I"):
        return np.asarray(image.convert("RGB"))
    high_byte = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)  # Pillow would cut off above 255
    return np.repeat(high_byte[:, :, None], 3, axis=2)


def _decode_by_opencv(path: Path, messages: Callable[[], str]) -> Pixels:
    try:
        pixels = decode(path)
    except ImageError as error:
        causes = [str(error).removeprefix(f"{path}: "), *messages().splitlines()[-1:]]
        raise ImageError(_line(f"no image: {': '.join(causes)}")) from error
    if damage := INVENTED_PIXELS.search(messages()):
        raise ImageError(_line(f"damaged: {damage[0]}"))
    return pixels


def _reason(error: Exception) -> str:
    """One line for people from an error of the system's or of Pillow's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error) or type(error).__name__
    return "truncated" if "truncated" in text.lower() else _line(f"no image: {text}")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return (line if line.isprintable() else ascii(line)[1:-1])[:LONGEST_REASON]
