"""Whether a file holds an image that is augmented rightly, found out without trusting the file.

Two independent decoders must agree on the pixels: OpenCV's, which the tasks use, and Pillow's, which
is strict where OpenCV fills in what is missing. What a good file gives, in height × width × 3 RGB:

- 16 bits a channel: the high byte of each value. Gray or black and white: three equal channels.
- Alpha, or a transparent colour of a palette: dropped, the colours beneath it stay as they are.
- Palette: its colours. CMYK and YCCK JPEG: converted without a colour profile. Profiles and gamma
  are not applied to any image.
- Rotation or mirroring by EXIF: applied (not by XMP). Animated, or several pages: the first picture only.
- A name that lies about the format (a WebP called .jpg): read as what it is, if it is one of
  `second_opinion.FORMATS`; outputs are in the format of the name.

All else is listed with a reason. Damage that a format cannot notice (JPEG has no checksum) may pass.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from augment.datasets.base import Size
from augment.task_runner import ImageError, decode
from experiments.inputs import native, second_opinion

if TYPE_CHECKING:
    from augment.task_runner import Pixels

KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}
JPEG_SUFFIXES, JPEG_SIDE = (".jpg", ".jpeg"), 65_500  # libjpeg's JPEG_MAX_DIMENSION
TOLERANCE = 2.0  # of 255, on average; the decoders' CMYK differs by 1, a wrong rotation by far more
LONGEST_REASON = 200  # characters; libraries may quote the file


def inspect(path: Path, most_pixels: int) -> Size:
    """Width and height, in pixels, of what `augment.task_runner.decode` gives for a file.

    Opens regular files only, and decodes only up to `most_pixels`. Raises ImageError with a reason
    of one line (without the path) and MemoryError. Silences warnings and stderr of the whole process
    meanwhile; a decoder that crashes or hangs takes the process with it."""
    _require_content(path)
    expected = _read_by_pillow(path, most_pixels)
    pixels = _read_by_opencv(path)
    _require_agreement(pixels, expected)
    height, width, _ = pixels.shape
    if path.suffix.lower() in JPEG_SUFFIXES and max(width, height) > JPEG_SIDE:
        raise ImageError(f"{width}x{height} pixels: no JPEG can have them, as its name asks of its outputs")
    return width, height


def _require_content(path: Path) -> None:
    """Asks for the kind of file before anything opens it: opening a FIFO waits for its writer."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ImageError("a link that leads nowhere" if path.is_symlink() else "no such file") from error
    except OSError as error:
        raise ImageError(_reason(error)) from error
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "of an unknown kind")
        raise ImageError(f"not a regular file: {kind}")
    if not status.st_size:
        raise ImageError("empty")


def _read_by_pillow(path: Path, most_pixels: int) -> Pixels:
    try:
        return second_opinion.read(path, most_pixels)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # whatever its parsers hit: struct.error, KeyError, SyntaxError, …
        raise ImageError(_reason(error)) from error


def _read_by_opencv(path: Path) -> Pixels:
    with native.overheard() as said:
        try:
            pixels = decode(path)
        except OSError as error:
            raise ImageError(_reason(error)) from error
        except ImageError as error:
            why = [str(error).removeprefix(f"{path}: "), *said().splitlines()[-1:]]
            raise ImageError(_line(f"no image: {': '.join(why)}")) from error
        if damage := native.MADE_UP.search(said()):
            raise ImageError(_line(f"damaged: {damage[0]}"))
    return pixels


def _require_agreement(pixels: Pixels, expected: Pixels) -> None:
    import cv2

    if pixels.shape != expected.shape or pixels.dtype != expected.dtype:
        sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in (pixels, expected)]
        raise ImageError(f"read differently: {sizes[0]} pixels by OpenCV, {sizes[1]} by Pillow")
    if (difference := cv2.norm(pixels, expected, cv2.NORM_L1) / pixels.size) > TOLERANCE:
        raise ImageError(f"read differently: OpenCV's and Pillow's pixels are {difference:.0f} of 255 apart")


def _reason(error: Exception) -> str:
    """One line for people from an error of the system's or of Pillow's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error) or type(error).__name__
    return "truncated" if "truncated" in text.lower() else _line(f"no image: {text}")


def _line(text: str) -> str:
    line = " ".join(text.split())
    return (line if line.isprintable() else ascii(line)[1:-1])[:LONGEST_REASON]
