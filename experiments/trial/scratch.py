"""Scratch folders that leave nothing behind: removed after use, and when their owner was killed,
by whoever comes next."""

import fcntl
import os
import shutil
import struct
import tempfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".augment-"
LOCK = "owner.lock"
GET_FLAGS, SET_FLAGS, TOP_OF_TREE = 0x80086601, 0x40086602, 0x20000  # FS_IOC_… and FS_TOPDIR_FL of linux/fs.h
CHOICES = 8  # folders, each where ext4 draws it, of which the one farthest from the last ones is taken
_last: deque[int] = deque(maxlen=64)  # inodes of folders: of the trials of the last minutes


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, gone afterwards. Abandoned ones in `parent` go first."""
    remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it when this process dies
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def apart(folder: Path) -> Path:
    """A new folder in `folder`, on ext4 in a part of the disk far from those of the last ones. For minutes
    ext4 uses no inode again that was freed, and looks at each of them for every file that it makes near by
    (recently_deleted in Linux's fs/ext4/ialloc.c): where one trial's outputs were removed, the next one's
    took up to twice as long to write."""
    _let_anywhere(folder)
    made = {path.stat().st_ino: path for path in (Path(tempfile.mkdtemp(dir=folder)) for _ in range(CHOICES))}
    inode = farthest(made, _last)
    _last.append(inode)
    chosen = made.pop(inode)
    for other in made.values():
        other.rmdir()
    return chosen


def farthest(inodes: Iterable[int], last: Collection[int]) -> int:
    """The inode whose nearest one of `last` is farthest away."""
    return max(inodes, key=lambda inode: min((abs(inode - each) for each in last), default=0))


def _let_anywhere(folder: Path) -> None:
    """Tells ext4 to draw a place on the disk for each folder in this one, as `chattr +T` does."""
    number = os.open(folder, os.O_RDONLY)
    with suppress(OSError):  # another file system
        (flags,) = struct.unpack("l", fcntl.ioctl(number, GET_FLAGS, bytes(struct.calcsize("l"))))
        fcntl.ioctl(number, SET_FLAGS, struct.pack("l", flags | TOP_OF_TREE))
    os.close(number)


def remove_abandoned(parent: Path) -> None:
    """Removes scratch folders whose owner no longer lives."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR)
        except OSError:
            continue  # being made or being removed at this moment, or another user's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue  # its owner is alive
        finally:
            os.close(lock)
