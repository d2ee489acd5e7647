"""Temporary folders, removed after use, or by a later command if their owner was killed.

The owner holds a lock on the folder itself. The kernel drops the lock when the owner dies or the machine
restarts. Other hosts may not know of such a lock, so the name of each folder tells its host.
"""

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from zlib import crc32

# A short name of the host, because sockets lie in these folders, and their paths have at most 107 bytes.
PREFIX = f".augment-{crc32(socket.gethostname().encode()):08x}-"


@contextmanager
def locked(folder: Path, wait: bool) -> Iterator[None]:
    """Hold the lock of a folder. Raises BlockingIOError if another does and `wait` is false, or OSError."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(number)


@contextmanager
def temporary_folder(parent: Path, prefix: str = "") -> Iterator[Path]:
    """Remove abandoned folders in `parent`, yield a new one, and remove that afterwards. Raises OSError.

    Its name is PREFIX, `prefix` and eight letters.
    """
    remove_abandoned(parent)
    with ExitStack() as lock:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX + prefix, dir=parent))
            # Until it is locked, another command takes it for abandoned and removes it.
            with suppress(BlockingIOError, FileNotFoundError):
                lock.enter_context(locked(folder, wait=False))
                folder.stat()
                break
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # a later command tries again


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders in `parent` that no living process of this host holds."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError), locked(folder, wait=False):
            shutil.rmtree(folder, ignore_errors=True)
