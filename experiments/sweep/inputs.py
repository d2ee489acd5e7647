"""The input files of a command's cells: walked and identified once for all of them, and never decoded."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from multiprocessing.pool import ThreadPool
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from augment.datasets.base import Size, first
from augment.datasets.folder import MANIFEST, Folder, is_image_suffix
from augment.filesystem import OF_THE_FILE, InputFiles, find_files, is_local, read_ends
from augment.image_file import BadImageError, read_header
from augment.images import error_line
from augment.options import OptionError
from experiments.config.options import Config, parse_size
from experiments.machine.environment import file_system

INT64 = 0x7FFF_FFFF_FFFF_FFFF  # times after 2262 have the 64th bit
END_BYTES = 4096  # at either end of a file, which identify it
HEADERS = 64  # of a sample of the files
NO_SIZE = (0, 0)  # of a file without a header, a bad image once a task reads it
UNSEEN = 1.5  # the largest image is at most so much larger than the largest of the sample
PROBED, WAITING, THREADS = 48, 3.0, 32  # files; wall clock over CPU time, from which on so many threads help
S = TypeVar("S")
T = TypeVar("T")
Stamps = NDArray[np.int64]


@dataclass(frozen=True)
class Inputs:
    """The image files of a cell, bad ones among them."""

    files: InputFiles
    stamps: Stamps  # a row for each file, see `stamps`
    bad_images: dict[int, str] = field(default_factory=dict)  # whose decoder crashed or hung, by index

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Return the columns of the inputs; the first use reads both ends of each file, and sizes of some."""
        sizes = {*self._sampled_sizes} - {NO_SIZE}
        width, height = sizes.pop() if len(sizes) == 1 else (None, None)
        return {
            "files": len(self.files),
            "inputs_digest": inputs_digest(self.files),
            "input_file_system": file_system(self.files.root),
            "inputs": str(self.files.root),
            "width": width,
            "height": height,
        }

    def has_images_in(self, place: Path) -> bool:
        """Return whether outputs in a place would lie among images: the inputs, or others of their folder."""
        root, parents = self.files.root, {name.rpartition("/")[0] for name in self.files.names}
        folders = {(root / parent).resolve() for parent in parents}
        if any((place / parent).resolve() in folders for parent in parents):
            return True
        is_inside = is_local(place) and is_local(root) and place.resolve().is_relative_to(root.resolve())
        if not is_inside or (place / MANIFEST).exists():
            return False
        names = (name for _, _, files in os.walk(place) for name in files)
        return any(is_image_suffix(os.path.splitext(name)[1].lower()) for name in names)

    def chosen(self, n_images: int | None, sample: int | None, seed: int) -> Self:
        """Return the first `n_images`, or a sample of these. Raises OptionError if there are fewer."""
        n_images = len(first(self.files, n_images))
        if (sample or n_images) >= n_images == len(self.files):
            return self
        indices = stratified_sample(self.stamps[:n_images, 0], sample or n_images, seed)
        files = self.files.subset(indices)
        return replace(self, files=files, stamps=self.stamps[indices], bad_images={})

    def changed(self) -> list[int]:
        """Return the indices of the files that are no longer those that were identified."""
        return list(map(int, np.flatnonzero((stamps(self.files) != self.stamps).any(axis=1))))

    def pixels(self, exact: bool, most: int) -> tuple[int, int]:
        """Return the pixels of the largest image up to `most`, and of all; by a sample unless `exact`."""
        sizes = self._sizes if exact else self._sampled_sizes
        counts = [width * height if width * height <= most else 0 for width, height in sizes]
        unseen = 1.0 if len({*sizes}) == 1 or len(sizes) == len(self.files) else UNSEEN
        return int(unseen * max(counts)), sum(counts) * len(self.files) // len(counts)

    @cached_property
    def _sizes(self) -> list[Size]:
        return list(_map(_header_size, self.files, is_local(self.files.root)))

    @cached_property
    def _sampled_sizes(self) -> list[Size]:
        """Return the sizes of files that are evenly spaced by their bytes, the largest among them."""
        by_bytes = np.argsort(self.stamps[:, 0], kind="stable")
        ranks = np.linspace(0, len(by_bytes) - 1, min(HEADERS, len(by_bytes))).astype(int)
        sample = self.files.subset(by_bytes[ranks].tolist())
        return list(_map(_header_size, sample, is_local(sample.root)))


Inventory = dict[str, Inputs]  # of all cells of a command, by what chooses them


def inputs_of(config: Config, inventory: Inventory) -> Inputs:
    """Return a cell's input files from the inventory, which new ones enter. Raises OptionError."""
    size = None if config.image_size is None else parse_size(config.image_size)
    cache = Path(os.path.expanduser(config.cache_dir or default_cache()))
    options: tuple[Any, ...] = config.n_images, size, config.seed, cache
    if isinstance(config.dataset, Folder):  # all numbers of images share one walk
        written = {config.output_place, config.results_folder, cache, Path(config.scratch_dir or cache)}
        options = None, size, config.seed, cache, sorted(written, key=str)
    source = repr((config.dataset, options))
    if source not in inventory:
        files = config.dataset.files(*options)
        if not files:
            raise OptionError(f"dataset={type(config.dataset).__name__}: holds no image")
        files = replace(files, root=files.root.absolute())
        try:
            inventory[source] = Inputs(files, stamps(files))
        except OSError as error:  # of an address
            raise OptionError(f"dataset: {error_line(error)}") from error
    chosen = repr((source, config.n_images, config.sample, config.seed))
    if chosen not in inventory:
        inventory[chosen] = inventory[source].chosen(config.n_images, config.sample, config.seed)
    return inventory[chosen]


def default_cache() -> Path:
    """Return the folder for synthetic images: the user's cache, or one for temporary files without a home."""
    home = os.path.expanduser("~")  # remains `~` for a user whom the system does not know
    caches = tempfile.gettempdir() if home == "~" else f"{home}/.cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or caches, "augment")


def stratified_sample(sizes_bytes: Stamps, count: int, seed: int) -> list[int]:
    """Return at most `count` indices in order, one drawn from each of `count` strata of file sizes."""
    if count >= len(sizes_bytes):
        return list(range(len(sizes_bytes)))
    by_bytes = np.argsort(sizes_bytes, kind="stable").tolist()
    random, ends = Random(seed), [k * len(by_bytes) // count for k in range(count + 1)]
    return sorted(random.choice(by_bytes[ends[k] : ends[k + 1]]) for k in range(count))


def stamps(files: InputFiles) -> Stamps:
    """Return size in bytes and time of change in ns of each file; -1 for a file that is missing.

    At an address the time is a checksum of the version. Raises OSError there.
    """
    if is_local(files.root):  # no inode, because those of FAT change when the cache drops them
        rows: Iterable[tuple[int, int]] = map(partial(_local_stamp, str(files.root)), files.names)
    else:
        known = find_files(files.root)
        rows = (known.get(name, (-1, -1)) for name in files.names)
    return np.fromiter(rows, np.dtype((np.int64, 2)), len(files))


def _local_stamp(root: str, name: str) -> tuple[int, int]:
    try:
        status = os.stat(f"{root}/{name}")  # Path objects take longer than the files
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns & INT64


def inputs_digest(files: InputFiles) -> str:
    """Return the SHA-256 (hex) of a line for each file, in the order of the bytes of their names.

    A line is `{name} {size in bytes} {SHA-256 of the first and last 4 KiB}`, of the whole file if it has no
    more than 8 KiB. A file that is not regular or cannot be read has `{name} - {class of the error}`.
    """
    digest, names = hashlib.sha256(), sorted(files.names, key=os.fsencode)
    for line in _map(partial(_digest_line, str(files.root)), names, is_local(files.root)):
        digest.update(line)
    return digest.hexdigest()


def _digest_line(root: str, name: str) -> bytes:
    try:
        size_bytes, ends = read_ends(f"{root.rstrip('/')}/{name}", END_BYTES)
        content = f"{size_bytes} {hashlib.sha256(ends).hexdigest()}"
    except OSError as error:
        if error.errno not in OF_THE_FILE:  # another digest would mean other images
            raise OptionError(f"dataset: {error_line(error)}") from error
        content = f"- {type(error).__name__}"
    return f"{name} {content}\n".encode(errors="surrogateescape")


def _header_size(file: Path) -> Size:
    try:
        return read_header(file)[:2]
    except (BadImageError, OSError):
        return NO_SIZE


def _map(function: Callable[[S], T], items: Iterable[S], has_fast_begin: bool) -> Iterator[T]:
    """Yield the results in order, by threads if the first items wait for their file system.

    Where files lie in the page cache, threads take three times as long as one loop.
    """
    items = iter(items)
    begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
    results = [function(item) for item in islice(items, PROBED if has_fast_begin else 0)]
    wall_s, cpu_s = time.perf_counter() - begin_s, time.thread_time() - begin_cpu_s
    yield from results
    if has_fast_begin and wall_s < WAITING * cpu_s:
        yield from map(function, items)
    else:
        with ThreadPool(THREADS) as pool:
            yield from pool.imap(function, items, chunksize=16)
