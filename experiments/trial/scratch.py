"""Scratch folders, removed after use, or by the next user if their owner was killed."""

import fcntl
import os
import shutil
import struct
import tempfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

PREFIX = ".augment-"
LOCK = "owner.lock"
GET_FLAGS, SET_FLAGS, TOP_OF_TREE = 0x80086601, 0x40086602, 0x20000  # FS_IOC_… and FS_TOPDIR_FL of linux/fs.h
CANDIDATES = 8  # folders from which the most distant is chosen
_recent_inodes: deque[int] = deque(maxlen=64)  # of the output folders of the last minutes


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Remove abandoned folders, yield a new one in `parent`, and remove that afterwards."""
    remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    with FileLock(folder / LOCK):  # the kernel releases it when this process dies
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(parent: Path) -> None:
    """Remove the scratch folders in `parent` whose owner is dead."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), FileLock(lock, timeout=0):  # the owner lives, or is another user
            shutil.rmtree(lock.parent, ignore_errors=True)


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
