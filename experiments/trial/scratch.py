"""The folder of a trial's outputs that are not kept."""

import fcntl
import os
import struct
import tempfile
from collections import deque
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

GET_FLAGS, SET_FLAGS, TOP_OF_TREE = 0x80086601, 0x40086602, 0x20000  # FS_IOC_… and FS_TOPDIR_FL of linux/fs.h
CANDIDATES = 8  # folders from which the most distant is chosen
_recent_inodes: deque[int] = deque(maxlen=64)  # of the output folders of the last minutes


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
