"""Where images lie: a path of this machine, or an address like `s3://bucket/photos` that fsspec knows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EIO, ENOENT
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from augment.options import OptionError

SCHEME = "://"


def location(text: str) -> Path:
    """The place that a text names; one with a scheme (`s3://…`) is no Path, but answers as one does. Raises
    OptionError where what that needs is not installed, or nothing knows the scheme."""
    if SCHEME not in text:
        return Path(text).expanduser()
    try:
        from upath import UPath

        place = UPath(text)
        _ = place.fs
    except (ImportError, ValueError) as error:
        raise OptionError(f"{text}: {error}; pip install universal_pathlib s3fs (for s3://)") from error
    return cast("Path", place)


def is_local(place: Path) -> bool:
    """Whether it is a path of this machine."""
    return isinstance(place, Path)


def absolute(place: Path) -> Path:
    """A local path from the root on; an address as it is."""
    return place.absolute() if is_local(place) else place


def read_bytes(file: Path) -> bytes:
    """The content of a file. (By its address: what a forked process has of a connection is its parent's.)
    Raises OSError."""
    if is_local(file):
        return file.read_bytes()
    import fsspec

    with _errors_of(file), fsspec.open(str(file), "rb") as opened:
        return bytes(opened.read())


def write_whole(file: Path, content: bytes | memoryview) -> None:
    """Puts a file at an address that is no local path: whole or not at all, as object stores have it. Raises
    OSError."""
    import fsspec

    with _errors_of(file):
        filesystem, path = fsspec.url_to_fs(str(file))
        filesystem.pipe_file(path, bytes(content))


def listed(folder: Path) -> dict[str, int]:
    """The names of the files in a folder and their bytes, as they are at this moment. Raises OSError."""
    if is_local(folder):
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    import fsspec

    with _errors_of(folder):
        filesystem, path = fsspec.url_to_fs(str(folder))
        filesystem.invalidate_cache()  # others write there
        found = filesystem.ls(path, detail=True)
    return {os.path.basename(each["name"]): each["size"] for each in found if each["type"] == "file"}


@contextmanager
def _errors_of(place: Path) -> Iterator[None]:
    """What libraries of remote file systems raise, as an OSError."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(place)) from error
    except OSError:
        raise
    except Exception as error:
        raise OSError(EIO, f"{type(error).__name__}: {error}", str(place)) from error


def remove_folder(folder: Path) -> None:
    """Removes a folder with all that is in it. At an address, a folder without files does not exist."""
    if is_local(folder):
        shutil.rmtree(folder)
    elif folder.exists():
        import fsspec

        filesystem, path = fsspec.url_to_fs(str(folder))
        filesystem.rm(path, recursive=True)


@contextmanager
def as_local(file: Path) -> Iterator[Path]:
    """The file itself, or a copy of that name here for as long as the context lasts."""
    if is_local(file):
        yield file
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder, os.path.basename(str(file)))
        copy.write_bytes(read_bytes(file))
        yield copy
