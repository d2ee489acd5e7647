"""Regular files and the headers of images, read without trusting the files."""

import os
import stat
from io import BufferedReader
from pathlib import Path

from PIL import Image

from augment.filesystem import is_local
from augment.images import ImageError

KINDS = {"d": "directory", "p": "FIFO", "s": "socket", "c": "character device", "b": "block device"}
# Formats that OpenCV reads too. Pillow knows others: its EPS, for one, starts Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
Image.MAX_IMAGE_PIXELS = None  # only headers are read; `max_image_pixels` decides what is decoded


class NotRegularError(ImageError):
    """A directory, FIFO, socket or device where a regular file is needed."""


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading. Raises NotRegularError, before anything is opened, and OSError."""
    kind = stat.filemode(path.stat().st_mode)[0]
    if kind != "-":
        raise NotRegularError(f"not a regular file: a {KINDS.get(kind, 'file of an unknown kind')}")
    # Non-blocking, because opening a FIFO that has taken the file's place would wait for its writer.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def dimensions(file: Path) -> tuple[int, int] | None:
    """Return width and height by the header of a regular file; None if that is not an image's."""
    try:
        with open_regular(file) as opened, Image.open(opened, formats=FORMATS) as image:
            return image.size
    except Exception:  # parsers of broken headers raise anything
        return None


def pixel_count(file: Path) -> int:
    """Return the pixels of an image by its header, 0 for another file; at an address its size in bytes.

    Reading a header at an address would take as long as reading the whole file.
    """
    if not is_local(file):
        return int(file.stat().st_size)
    width, height = dimensions(file) or (0, 0)
    return width * height
