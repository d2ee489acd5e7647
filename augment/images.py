"""Images and files: encoding and writing exist in this module only."""

import os
from contextlib import suppress
from errno import EMFILE
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from augment.filesystem import is_local, printable, write_remote
from augment.options import OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8]"  # height × width × 3, RGB

QUALITY = {  # OpenCV's flag and our default; without one, OpenCV writes WebP lossless
    **dict.fromkeys((".jpg", ".jpeg"), ("IMWRITE_JPEG_QUALITY", 95)),
    ".webp": ("IMWRITE_WEBP_QUALITY", 90),
    ".avif": ("IMWRITE_AVIF_QUALITY", 95),  # OpenCV's own
}
PARTS = ".augment-*.part"  # unfinished files; a killed process leaves them
GRAY_SUFFIXES = (".pgm", ".pbm")  # of formats without colours
SIDES = {  # pixels of the shortest and longest side that OpenCV encodes
    **dict.fromkeys((".jpg", ".jpeg"), (1, 65_500)),
    ".webp": (1, 16_383),
    ".gif": (1, 65_535),
    ".jp2": (32, 1 << 31),
}


class ImageError(ValueError):
    """A file that cannot be read as an image."""


class OutputError(OSError):
    """An augmented image that cannot be encoded or written."""


def error_line(error: BaseException) -> str:
    """Return an exception on one line: the system's with its cause first, a library's with its type."""
    if isinstance(error, OSError) and error.strerror:
        hint = "; raise the limit: ulimit -n" if error.errno == EMFILE else ""
        return f"{error.strerror.lower()}: {printable(error.filename or type(error).__name__)}{hint}"
    text = " ".join(str(error).split())
    is_ours = isinstance(error, ImageError | OutputError | OptionError)
    return text if is_ours else f"{type(error).__name__}: {text}"


def check_pixels(array: Any) -> None:
    """Raise ImageError if an array is no image that can be encoded."""
    import numpy as np

    if not (isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.shape[2:] == (3,)):
        kind = f"{array.dtype}, {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ImageError(f"the pipeline returned {kind}; it must be uint8, height × width × 3")


def unencodable(width: int, height: int, name: str) -> str | None:
    """Return why no image of this size can be encoded under a name; None if it can."""
    suffix = Path(name).suffix.lower()
    shortest, longest = SIDES.get(suffix, (1, 1 << 31))
    if shortest <= min(width, height) and max(width, height) <= longest:
        return None
    return f"{width}x{height} pixels cannot be encoded: {suffix} has sides of {shortest} to {longest}"


def encode(pixels: Pixels, name: str, quality: int | None = None) -> Pixels:
    """Return the bytes of an image in the format of the name's extension. Raises OutputError."""
    import cv2

    suffix = Path(name).suffix.lower()
    flag, usual = QUALITY.get(suffix, ("", None))
    parameters = [getattr(cv2, flag), quality or usual] if flag else []
    try:
        order = cv2.COLOR_RGB2GRAY if suffix in GRAY_SUFFIXES else cv2.COLOR_RGB2BGR
        done, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, order), parameters)
    except cv2.error as error:
        raise OutputError(f"{name}: cannot be encoded: {error.err}") from error
    if not done:
        raise OutputError(f"{name}: cannot be encoded")
    return cast("Pixels", encoded)


def write(folder: Path, name: str, encoded: Pixels) -> None:
    """Write a file that is whole once it has its name. Raises OutputError with file and cause."""
    try:
        path = folder / name
        if not is_local(folder):
            write_remote(path, encoded.data)
        elif not _write_nameless(path, encoded) and not path.is_file():  # one that exists has these bytes
            _write_and_rename(path, encoded)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{reason}: {name} cannot be written") from error


def _write_nameless(path: Path, encoded: Pixels) -> bool:
    """Write a file that has no name until it is whole; return False if that cannot be done.

    Nothing is left of a file whose writer is killed, and the folder is locked once, not twice.
    """
    try:
        with open(os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb") as file:
            file.write(encoded.data)
            file.flush()
            number = file.fileno()  # given as the folder too, so that the link in /proc is followed
            os.link(f"/proc/self/fd/{number}", path, src_dir_fd=number)
    except OSError:  # the file system has no such files; or an error that _write_and_rename meets too
        return False
    return True


def _write_and_rename(path: Path, encoded: Pixels) -> None:
    part = path.with_name(PARTS.replace("*", token_hex(8)))
    try:
        with open(part, "wb") as file:
            file.write(encoded.data)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):  # the first error is the one to report
            part.unlink(missing_ok=True)
        raise
