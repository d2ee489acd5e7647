"""The contract of a dataset, and the cache of images that a dataset makes."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from augment.filesystem import InputFiles, file_sizes, printable
from augment.images import OutputError
from augment.options import OptionError
from augment.temporary import locked, temporary_folder

Size = tuple[int, int]  # width, height in pixels


@dataclass
class Dataset(ABC):
    """A source of images. Its fields are its options on the command line."""

    @abstractmethod
    def files(self, n_images: int | None, size: Size | None, seed: int, cache: Path) -> InputFiles:
        """Return the input files in order; make missing ones in `cache`. Raises OptionError.

        Without `n_images`, these are all there are; without `size`, each image has its own.
        """


def first(files: InputFiles, n_images: int | None) -> InputFiles:
    """Return the first `n_images` of the files that there are, by default all. Raises OptionError."""
    if n_images is not None and n_images > len(files):
        held = f"{printable(files.root)} holds {len(files)}"
        raise OptionError(f"n_images={n_images}: {held}; give at most that, or none for all")
    return files.subset(range(len(files) if n_images is None else n_images))


def size_text(size: Size | None) -> str:
    """Return a size as the option `image_size` has it."""
    return "native" if size is None else f"{size[0]}x{size[1]}"


def cached(
    cache: Path, kind: str, names: list[str], size: Size | None, seed: int, make: Callable[[int], bytes]
) -> InputFiles:
    """Return files of these names in a folder of `cache`; if any is missing, `make` gives all their bytes.

    The folder is filled under another name and renamed, so that a kill or a second sweep leaves no half.
    Each file is written through to the disk, so that a power cut leaves none either.
    """
    # Changed recipes need another folder.
    recipe = crc32(Path(__file__).with_name("pixels.py").read_bytes())
    folder = cache / f"{kind}-{size_text(size)}-n{len(names)}-seed{seed}-{recipe:08x}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with temporary_folder(cache) as unfinished:
            if not _is_complete(folder, names):
                whole = unfinished / "whole"
                whole.mkdir()
                for index, name in enumerate(names):
                    with open(whole / name, "wb") as file:
                        file.write(make(index))
                        file.flush()
                        os.fsync(file.fileno())
                with locked(cache, wait=True):
                    if folder.exists() and not _is_complete(folder, names):
                        folder.rename(unfinished / "incomplete")
                    whole.rename(folder)
    except OutputError as error:
        raise OptionError(f"image_size={size_text(size)}: {error}; give another size") from error
    except OSError as error:
        if not _is_complete(folder, names):  # else it may be a cache that is only read
            reason = f"{error.strerror or error}; give a folder to write to"
            raise OptionError(f"cache_dir={printable(cache)}: {reason}") from error
    return InputFiles(folder, names)


def _is_complete(folder: Path, names: list[str]) -> bool:
    """Return whether no file is missing or empty, as some are after somebody has cleaned the cache."""
    sizes = file_sizes(folder) if folder.is_dir() else {}
    return all(sizes.get(name) for name in names)
