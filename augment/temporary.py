"""Temporary folders, removed after use, or by a later command if their owner was killed.

The owner holds a lock on the folder itself. The kernel drops the lock when the owner dies or the machine
restarts. Other hosts may not know of such a lock, so the name of each folder tells its host.
"""

import fcntl
import os
import shutil
import socket
import struct
import tempfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from zlib import crc32

# A short name of the host, because sockets lie in these folders, and their paths have at most 107 bytes.
PREFIX = f".augment-{crc32(socket.gethostname().encode()):08x}-"
GET_FLAGS, SET_FLAGS, TOP_OF_TREE = 0x80086601, 0x40086602, 0x20000  # FS_IOC_… and FS_TOPDIR_FL of linux/fs.h
CANDIDATES = 8  # folders from which the most distant is chosen
_recent_inodes: deque[int] = deque(maxlen=64)  # of the output folders of the last minutes


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
    """Remove abandoned folders in `parent`, yield a new one, and remove that afterwards. Raises OSError."""
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


def distant_directory(parent: Path) -> Path:
    """Return one of CANDIDATES new folders in `parent`, on ext4 far from those of the last trials.

    For minutes ext4 reuses no freed inode, and it checks each one for every file created nearby
    (`recently_deleted` in Linux's fs/ext4/ialloc.c). Outputs written next to the removed outputs of the
    trial before took up to twice as long.
    """
    _spread_subfolders(parent)
    folders = (Path(tempfile.mkdtemp(dir=parent)) for _ in range(CANDIDATES))
    by_inode = {folder.stat().st_ino: folder for folder in folders}
    inode = most_distant(by_inode, _recent_inodes)
    _recent_inodes.append(inode)
    return by_inode[inode]


def most_distant(inodes: Iterable[int], recent: Collection[int]) -> int:
    """Return the inode whose nearest one of `recent` is farthest away."""
    return max(inodes, key=lambda inode: min((abs(inode - other) for other in recent), default=0))


def _spread_subfolders(folder: Path) -> None:
    """Let ext4 place each subfolder anywhere on the disk, as `chattr +T` does."""
    number = os.open(folder, os.O_RDONLY)
    with suppress(OSError):  # another file system
        (flags,) = struct.unpack("l", fcntl.ioctl(number, GET_FLAGS, bytes(struct.calcsize("l"))))
        fcntl.ioctl(number, SET_FLAGS, struct.pack("l", flags | TOP_OF_TREE))
    os.close(number)
