"""Image files: each is read whole as RGB pixels, or refused with one reason."""

import re
import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, cast
from warnings import catch_warnings

from augment.filesystem import OF_THE_FILE, read_bytes, read_ends
from augment.images import ImageError, Pixels

OPENCV_NO_MEMORY = -4
NO_HEADER, TRUNCATED = "no whole header of a known image format", "truncated: no end marker"
UNDECODED = "OpenCV cannot decode it"

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
JPEG_END, PNG_END = b"\xff\xd9", b"\0\0\0\0IEND\xaeB`\x82"
JPEG_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xda-\xfe]")  # the other markers have no segment
SCAN = 0xDA
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # their segments hold the size
# Formats that OpenCV reads, too. Pillow knows others: its EPS, for example, starts Ghostscript.
FORMATS = ("WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "SUN")
DARK = 16  # the most that becomes of 12-bit data in 16 bits, when 8 are kept
HEAD_BYTES = 1 << 15  # hold the size of most images, behind a thumbnail
EDGE_BYTES = 64  # at either end of an output, enough to see whether it is whole


class BadImageError(ImageError):
    """A file that is no usable image; the text is the bare reason."""


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
    """Return the image in a file. Raises BadImageError; where the machine fails, OSError or cv2.error."""
    return decoded(read_content(file), max_pixels)


def decoded(content: bytes, max_pixels: int) -> Image:
    """Return the image in the content of a file. Raises BadImageError, cv2.error."""
    header = _header(content)  # decides on `max_pixels` before pixels are made
    if header.width * header.height > max_pixels:
        size = f"{header.width}x{header.height}"
        raise BadImageError(f"{size} pixels are more than max_image_pixels={max_pixels}")
    if content.rfind(_end_marker(content), header.head_bytes) < 0:
        raise BadImageError(TRUNCATED)
    pixels = _decode(content)
    warnings = ["alpha is dropped"] if header.has_alpha else []
    if header.bits == 16 and pixels.max() <= DARK:
        warnings.append("16 bits a channel hold 12-bit data at most: it comes out dark")
    return Image(pixels, tuple(warnings))


def has_end(file: Path) -> bool:
    """Return whether a local output is whole: its first and last bytes tell, or else it is decoded."""
    size_bytes, ends = read_ends(str(file), EDGE_BYTES)
    if declared_bytes := _declared_bytes(ends):
        return declared_bytes <= size_bytes
    if end := _end_marker(ends):
        return end in ends[-EDGE_BYTES:]
    try:
        return bool(read_image(file, sys.maxsize))
    except BadImageError:
        return False


def read_header(file: Path) -> Header:
    """Return the header of an image file, of which little is read. Raises BadImageError, OSError."""
    try:
        return _header(read_ends(str(file), HEAD_BYTES)[1][:HEAD_BYTES])
    except BadImageError:
        return _header(read_bytes(file))


def _header(content: bytes) -> Header:
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
        if marker == SCAN:
            break
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 3)
        position += int(struct.unpack_from(">H", content, position)[0])
    if not width:
        raise BadImageError(NO_HEADER)
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
            bits = 16 if image.mode == "I" or ";16" in str(image.tile) else 8
            return Header(*image.size, has_alpha, bits)
    except Exception as error:  # parsers of broken headers raise anything
        raise BadImageError(NO_HEADER) from error


def _declared_bytes(head: bytes) -> int:
    """Return the size that a WebP or BMP file says it has, or 0."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return int.from_bytes(head[4:8], "little") + 8
    return int.from_bytes(head[2:6], "little") if head.startswith(b"BM") else 0


def _end_marker(head: bytes) -> bytes:
    """Return the bytes that stand at the end of a file with this head; none if its format has no such."""
    return JPEG_END if head.startswith(JPEG) else PNG_END if head.startswith(PNG) else b""


def read_content(file: Path) -> bytes:
    """Return the bytes of a file that is not empty. Raises BadImageError; OSError if the machine fails."""
    try:
        content = read_bytes(file)
    except OSError as error:
        if error.errno not in OF_THE_FILE:  # no fault of the file: too few resources, a disk, a network
            raise
        raise BadImageError((error.strerror or str(error)).lower()) from error
    if not content:
        raise BadImageError("empty")
    return content


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
