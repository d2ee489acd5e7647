"""The bytes of input files, and what identifies a set of them: names, sizes and bytes, not where or when
they were stored."""

import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path

from augment.image_io import ImageError
from augment.location import is_local, read_bytes

BATCH = 1024  # files, so that 100,000 need no future each at the same time
KINDS = {"d": "directory", "p": "FIFO", "s": "socket", "c": "character device", "b": "block device"}


class NotRegularError(ImageError):
    """A directory, FIFO, socket or device where a regular file is needed."""


def open_regular(path: Path) -> BufferedReader:
    """A regular file, opened for reading. Raises NotRegularError, before anything is opened, and OSError."""
    kind = stat.filemode(path.stat().st_mode)[0]
    if kind != "-":
        raise NotRegularError(f"not a regular file: a {KINDS.get(kind, 'file of an unknown kind')}")
    # Non-blocking, in case the path leads to a FIFO by now: opening one waits for its writer.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))


def inputs_digest(files: Sequence[Path]) -> str:
    """SHA-256 (hex) over the sorted lines `{file name} {size in bytes} {SHA-256 of its bytes}`.

    What is not a regular file or cannot be read has the line `{file name} - {class of the error}`."""
    lines: list[bytes] = []
    with ThreadPoolExecutor() as executor:
        for start in range(0, len(files), BATCH):
            lines += executor.map(_line, files[start : start + BATCH])
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def _line(path: Path) -> bytes:
    try:
        if not is_local(path):
            whole = read_bytes(path)
            return f"{path.name} {len(whole)} {hashlib.sha256(whole).hexdigest()}\n".encode()
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            content = f"{os.fstat(file.fileno()).st_size} {digest}"
    except (OSError, NotRegularError) as error:
        content = f"- {type(error).__name__}"
    return f"{path.name} {content}\n".encode(errors="surrogateescape")
