"""Image files: each is read whole as RGB pixels, or refused with one reason."""

from __future__ import annotations

import os
import re
import stat
import struct
import sys
from errno import EMFILE, ENFILE, ENOMEM
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from warnings import catch_warnings

from augment.filesystem import is_local, read_bytes, read_ends
from augment.images import ImageError

if TYPE_CHECKING:
    from augment.images import Pixels

KINDS = {"d": "directory", "p": "FIFO", "s": "socket", "c": "character device", "b": "block device"}
MACHINE_ERRORS = (EMFILE, ENFILE, ENOMEM)  # no fault of the file that is read
OPENCV_NO_MEMORY = -4
NO_HEADER, TRUNCATED = "no whole header of a known image format", "truncated: no end marker"
UNDECODED = "OpenCV cannot decode it"

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
JPEG_END, PNG_END = b"\xff\xd9", b"\0\0\0\0IEND\xaeB`\x82"
JPEG_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")  # the other markers have no segment
SCAN, END = 0xDA, 0xD9
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # their segments hold the size
# Formats that OpenCV reads, too. Pillow knows others: its EPS, for example, starts Ghostscript.
FORMATS = ("WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
TIFF_BITS = 258  # the tag of the bits of each channel
DARK = 16  # 12-bit data in 16 bits stay below, when the high byte alone is kept
HEAD_BYTES = 1 << 15  # hold the size of most images, behind a thumbnail
EDGE_BYTES = 64  # at either end of an output, enough to see whether it is whole


class BadImageError(ImageError):
    """A file that is no usable image; the text is the bare reason."""


class NotRegularError(BadImageError):
    """A directory, FIFO, socket or device where a regular file is needed."""


class Image(NamedTuple):
    """The content of an image file, with a line for each thing that may surprise its user."""

    pixels: Pixels
    warnings: tuple[str, ...]


class Header(NamedTuple):
    """The head of an image file: what is known without decoding it."""

    width: int  # pixels
    height: int
    has_alpha: bool = False
    bits: int = 8  # of a channel
    head_bytes: int = 0  # of a JPEG, before its first scan


def read_image(file: Path, max_pixels: int) -> Image:
    """Return the image in a file. Raises BadImageError; where the machine fails, OSError or cv2.error.

    The header decides on `max_pixels` before pixels are made.
    """
    content = _content(file)
    header = parse_header(content)
    if header.width * header.height > max_pixels:
        size = f"{header.width}x{header.height}"
        raise BadImageError(f"{size} pixels are more than max_image_pixels={max_pixels}")
    if _lacks_end(content, content, header.head_bytes, len(content)):
        raise BadImageError(TRUNCATED)
    pixels = _decode(content)
    warnings = ["alpha is dropped"] if header.has_alpha else []
    if header.bits == 16 and pixels.max() < DARK:
        warnings.append("16 bits a channel hold 12-bit data at most: it comes out dark")
    return Image(pixels, tuple(warnings))


def has_end(file: Path) -> bool:
    """Return whether a local output is whole: its first and last bytes tell, or else it is decoded."""
    with open(file, "rb", buffering=0) as opened:
        head, size_bytes = opened.read(EDGE_BYTES), os.fstat(opened.fileno()).st_size
        tail = os.pread(opened.fileno(), EDGE_BYTES, max(0, size_bytes - EDGE_BYTES))
    if head.startswith((JPEG, PNG)) or _declared_bytes(head):
        return not _lacks_end(head, tail, 0, size_bytes)
    try:
        return bool(read_image(file, sys.maxsize))
    except BadImageError:
        return False


def read_header(file: Path) -> Header:
    """Return the header of an image file, of which little is read. Raises BadImageError, OSError."""
    if not is_local(file):
        try:
            return parse_header(read_ends(file, HEAD_BYTES)[1][:HEAD_BYTES])
        except BadImageError:
            return parse_header(read_bytes(file))
    with open_regular(file) as opened:
        head = opened.read(HEAD_BYTES)
        try:
            return parse_header(head)
        except BadImageError:
            if not (rest := opened.readall()):
                raise
            return parse_header(head + rest)


def parse_header(content: bytes) -> Header:
    """Return the header of an image, whose content may end behind it. Raises BadImageError."""
    try:
        if content.startswith(JPEG):
            return _jpeg_header(content)
        if content.startswith(PNG):
            return _png_header(content)
    except struct.error:
        raise BadImageError(TRUNCATED) from None
    if _declared_bytes(content) > len(content):
        raise BadImageError(TRUNCATED)
    return _pillow_header(content)


def _jpeg_header(content: bytes) -> Header:
    """Walk the segments to the first scan, as libjpeg does. Raises struct.error."""
    width, height, position = 0, 0, 2
    while match := JPEG_SEGMENT.search(content, position):
        position = match.end()
        marker = content[position - 1]
        if marker in (SCAN, END):
            break
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 3)
        position += int(struct.unpack_from(">H", content, position)[0])
    if not (match or width):
        raise BadImageError(TRUNCATED)
    return Header(width, height, head_bytes=position)


def _png_header(content: bytes) -> Header:
    kind, width, height, bits, colour = struct.unpack_from(">4sIIBB", content, 12)
    if kind != b"IHDR":
        raise BadImageError(NO_HEADER)
    # Colour types 4 and 6 have a channel for it; others name a colour, before the pixels.
    has_alpha = colour in (4, 6) or content.find(b"tRNS", 33, content.find(b"IDAT", 33)) > 0
    return Header(width, height, has_alpha, bits)


def _pillow_header(content: bytes) -> Header:
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # only headers are read; `max_pixels` limits what is decoded
    try:
        # It warns of tags that do not matter here.
        with catch_warnings(action="ignore"), PIL.Image.open(BytesIO(content), formats=FORMATS) as image:
            has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            tagged = getattr(image, "tag_v2", {}).get(TIFF_BITS, (16 if image.mode[0] == "I" else 8,))
            return Header(*image.size, has_alpha, max(tagged))
    except Exception as error:  # parsers of broken headers raise anything
        raise BadImageError(NO_HEADER) from error


def _declared_bytes(head: bytes) -> int:
    """Return the size that a WebP or BMP file says it has, or 0."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return int.from_bytes(head[4:8], "little") + 8
    return int.from_bytes(head[2:6], "little") if head.startswith(b"BM") else 0


def _lacks_end(head: bytes, tail: bytes, search_from: int, size_bytes: int) -> bool:
    """Return whether a file of a format with an end does not have it in its last bytes."""
    end = JPEG_END if head.startswith(JPEG) else PNG_END if head.startswith(PNG) else b""
    return tail.rfind(end, search_from) < 0 or _declared_bytes(head) > size_bytes


def _content(file: Path) -> bytes:
    """Return the bytes of a regular file; no other is opened for reading. Raises BadImageError, OSError."""
    try:
        if is_local(file):
            with open_regular(file) as opened:
                content = opened.readall()
        else:
            content = read_bytes(file)
    except OSError as error:
        is_of_network = not is_local(file) and not isinstance(error, FileNotFoundError | PermissionError)
        if error.errno in MACHINE_ERRORS or is_of_network:
            raise
        raise BadImageError((error.strerror or str(error)).lower()) from error
    if not content:
        raise BadImageError("empty")
    return content


def open_regular(file: Path | str) -> FileIO:
    """Open a local file that is regular. Raises OSError, and NotRegularError before it opens another."""
    _check_kind(os.stat(file).st_mode)
    # Non-blocking: if a FIFO has replaced the file since, opening it would wait for a writer.
    opened = FileIO(file, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
    try:
        _check_kind(os.fstat(opened.fileno()).st_mode)
    except NotRegularError:
        opened.close()
        raise
    return opened


def _check_kind(mode: int) -> None:
    kind = stat.filemode(mode)[0]
    if kind != "-":
        raise NotRegularError(f"not a regular file: a {KINDS.get(kind, 'file of an unknown kind')}")


def _decode(content: bytes) -> Pixels:
    import cv2
    import numpy as np

    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if error.code == OPENCV_NO_MEMORY:
            raise
        raise BadImageError(f"{UNDECODED}: {error.err}") from error
    if image is None:
        raise BadImageError(UNDECODED)
    return cast("Pixels", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
