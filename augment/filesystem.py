"""Paths of this machine, and addresses like `s3://bucket/photos` that fsspec opens."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from errno import EACCES, EINVAL, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM
from io import FileIO
from pathlib import Path
from typing import Any, Self, cast
from zlib import crc32

from augment.options import OptionError

SCHEME = "://"
# Errors of one file, not of a disk.
OF_THE_FILE = (EINVAL, ENOENT, EACCES, EPERM, ELOOP, ENOTDIR, ENAMETOOLONG)


def printable(path: str | Path) -> str:
    """Return a path on one line that every terminal can print, whatever bytes it has."""
    return text if (text := str(path)).isprintable() else ascii(text)


def location(text: str) -> Path:
    """Return an absolute path of this machine, or an address that answers as a Path does.

    Raises OptionError if nothing knows the address's scheme, or if its library is not installed.
    """
    if SCHEME not in text:
        return Path(os.path.expanduser(text)).absolute()  # which `~nobody` leaves as it is
    try:
        from upath import UPath

        place = UPath(text)
        _ = place.fs
    except (ImportError, ValueError) as error:
        raise OptionError(f"{text}: {error}; pip install universal_pathlib s3fs (for s3://)") from error
    return cast("Path", place)


def is_local(place: Path) -> bool:
    """Return whether a place is a path of this machine."""
    return isinstance(place, Path)


def read_bytes(file: Path) -> bytes:
    """Return the content of a file. Raises OSError."""
    if is_local(file):
        with _open_regular(file) as opened:
            return opened.readall()
    with _remote(file) as (filesystem, path):
        return bytes(filesystem.cat_file(path))


def read_ends(file: str, end_bytes: int) -> tuple[int, bytes]:
    """Return the size of a file, and its first and last bytes; all if they are few. Raises OSError."""
    if SCHEME not in file:
        with _open_regular(file) as opened:
            size_bytes, ends = os.fstat(opened.fileno()).st_size, opened.read(2 * end_bytes)
            if size_bytes > len(ends):
                ends = ends[:end_bytes] + os.pread(opened.fileno(), end_bytes, size_bytes - end_bytes)
        return size_bytes, ends
    with _remote(file) as (filesystem, path):
        size_bytes = filesystem.size(path)
        if size_bytes <= 2 * end_bytes:
            return size_bytes, bytes(filesystem.cat_file(path))
        begin, end = (0, end_bytes), (size_bytes - end_bytes, size_bytes)
        return size_bytes, b"".join(filesystem.cat_file(path, start=a, end=b) for a, b in (begin, end))


def _open_regular(file: Path | str) -> FileIO:
    """Open a local file to read. No file that is not regular is opened: it might wait. Raises OSError."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise OSError(EINVAL, "Not a regular file", str(file))
    return open(os.open(file, os.O_RDONLY), "rb", buffering=0)


def write_remote(file: Path, content: bytes | memoryview) -> None:
    """Write a file at an address; object stores show it whole or not at all. Raises OSError."""
    with _remote(file) as (filesystem, path):
        filesystem.pipe_file(path, bytes(content))


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the files of a folder by name with their bytes, as they are at this moment. Raises OSError."""
    if is_local(folder):
        sizes = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # it vanishes meanwhile
                    if entry.is_file():
                        sizes[entry.name] = entry.stat().st_size
        return sizes
    return {name: size_bytes for name, (size_bytes, _) in find_files(folder, recursive=False).items()}


def check_folder(folder: Path) -> None:
    """Raise OSError if there is no such folder at an address."""
    with _remote(folder) as (filesystem, path):
        if filesystem.info(path)["type"] != "directory":
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(folder))


def find_files(folder: Path, recursive: bool = True) -> dict[str, tuple[int, int]]:
    """Return bytes and a checksum of the version of each file below an address, by name. Raises OSError."""
    with _remote(folder) as (filesystem, path):
        filesystem.invalidate_cache()  # other processes write into the folder
        files = filesystem.find(path, maxdepth=None if recursive else 1, detail=True)
    begin, marks = len(path.rstrip("/")) + 1, ("ETag", "mtime", "LastModified", "created")
    return {
        name[begin:]: (details["size"], crc32(repr([details.get(mark) for mark in marks]).encode()))
        for name, details in files.items()
    }


def remove_file(file: Path) -> None:
    """Remove a file. Raises OSError."""
    if is_local(file):
        file.unlink()
    else:
        with _remote(file) as (filesystem, path):
            filesystem.rm_file(path)


@contextmanager
def _remote(place: Path | str) -> Iterator[tuple[Any, str]]:
    """Yield the fsspec file system of an address and the path there; raise their errors as OSError.

    The file system is looked up anew, because a forked process cannot use its parent's connection.
    """
    import fsspec

    try:
        yield fsspec.url_to_fs(str(place))
    except FileNotFoundError as error:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(place)) from error
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise OSError(EIO, f"{type(error).__name__}: {error}", str(place)) from error


@dataclass(frozen=True)
class InputFiles(Sequence[Path]):
    """Files below one folder in order, held by name: 100,000 paths would take 50 MB in every process."""

    root: Path  # a folder or an address
    names: Sequence[str]  # relative to it, with slashes
    findings: Sequence[str] = field(default=(), compare=False)  # on what else lies there

    def subset(self, indices: Iterable[int]) -> Self:
        """Return the files with these indices, in the order of the indices."""
        return replace(self, names=[self.names[index] for index in indices])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, number: Any) -> Any:
        return self.root / self.names[number]
