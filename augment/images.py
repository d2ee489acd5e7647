"""Images and files: read, encode and write exist here and only here."""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EMFILE
from pathlib import Path
from secrets import token_hex
from threading import get_native_id
from typing import TYPE_CHECKING, Any, cast

from augment.filesystem import is_local, read_bytes, write_remote
from augment.options import OptionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]  # height × width × 3, RGB


class ImageError(ValueError):
    """A file that cannot be read as an image."""


class OutputError(OSError):
    """An augmented image that cannot be encoded or written."""


def error_line(error: BaseException) -> str:
    """An exception on one line: our own errors as they are, the system's with their cause first,
    others with their type."""
    if isinstance(error, OSError) and error.strerror:
        hint = "; raise the limit: ulimit -n" if error.errno == EMFILE else ""
        return f"{error.strerror.lower()}: {error.filename or type(error).__name__}{hint}"
    text = " ".join(str(error).split())
    is_ours = isinstance(error, ImageError | OutputError | OptionError)
    return text if is_ours else f"{type(error).__name__}: {text}"


def decode(path: Path) -> Pixels:
    """The image in a file, height × width × 3, uint8, RGB. Raises ImageError."""
    import cv2
    import numpy as np

    data = np.frombuffer(read_bytes(path), np.uint8)  # cv2.imread cannot open every name, and no address
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is not None:
            return cast("Pixels", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    except cv2.error as error:  # more pixels than OpenCV allows, or than there is memory for
        raise ImageError(f"{path}: OpenCV cannot decode it: {error.err}") from error
    raise ImageError(f"{path}: OpenCV cannot decode it")


def check_pixels(array: Any) -> None:
    """Raises ImageError where an array is no image that can be encoded."""
    import numpy as np

    if not (isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.shape[2:] == (3,)):
        kind = f"{array.dtype}, {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ImageError(f"the pipeline returned {kind}; it must be uint8, height × width × 3")


def encode(pixels: Pixels, name: str) -> Pixels:
    """The bytes of an RGB image in the format of the name's extension. Raises OutputError."""
    import cv2

    try:
        done, encoded = cv2.imencode(Path(name).suffix.lower(), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise OutputError(f"{name}: cannot be encoded: {error.err}") from error
    if not done:
        raise OutputError(f"{name}: cannot be encoded")
    return cast("Pixels", encoded)


def write(folder: Path, name: str, encoded: Pixels) -> None:
    """Puts a file there that is whole once it has its name. Raises OutputError with file and cause."""
    try:
        if is_local(folder):
            _write_once_whole(folder / name, encoded)
        else:
            write_remote(folder / name, encoded.data)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{reason}: {name} cannot be written") from error


OWN = token_hex(4)  # of this process and those that it forks: nodes of a cluster number theirs alike


def _write_once_whole(path: Path, encoded: Pixels) -> None:
    if path.exists() or not _write_nameless(path, encoded):  # a link takes no name that is taken
        _write_aside(path, encoded)


def _write_nameless(path: Path, encoded: Pixels) -> bool:
    """Writes a file that has no name until it is whole: nothing is left of one whose writer is killed, and
    its folder is locked once, not twice. False where it cannot be done."""
    try:
        with open(os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb") as file:
            file.write(encoded.data)
            file.flush()
            number = file.fileno()  # given as the folder too, so that the link to the file is followed
            os.link(f"/proc/self/fd/{number}", path, src_dir_fd=number)
    except OSError:  # no such files on this file system; or an error that writing aside meets and tells
        return False
    return True


def _write_aside(path: Path, encoded: Pixels) -> None:
    aside = path.with_name(f".{OWN}-{get_native_id()}.part")
    try:
        with open(aside, "wb") as file:
            file.write(encoded.data)
        os.replace(aside, path)
    except OSError:
        with suppress(OSError):  # the first error is the one to tell
            aside.unlink(missing_ok=True)
        raise
