"""The input files of a sweep's cells: listed, sampled, identified and checked once for all cells."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing.pool import ThreadPool
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from augment.datasets.base import first
from augment.datasets.folder import Folder
from augment.filesystem import InputFiles
from augment.options import OptionError
from experiments.config.options import Config, OnBadImage
from experiments.sweep.vetting import NotRegularError, Vetted, open_input, pixel_count, usable

T = TypeVar("T")


@dataclass(frozen=True)
class Inputs:
    """The image files of a cell, bad ones among them."""

    files: InputFiles

    @cached_property
    def columns(self) -> dict[str, Any]:
        """The columns of a trial that identify the inputs; computed on first use: it reads every byte."""
        return {"files": len(self.files), "inputs_digest": inputs_digest(self.files)}

    @property
    def folders(self) -> set[Path]:
        """The folders that hold the files."""
        parents = {name.rpartition("/")[0] for name in self.files.names}
        return {(self.files.root / parent).resolve() for parent in parents}


class Inventory:
    """The inputs of all cells of a command, listed and checked once for cells with the same images."""

    def __init__(self) -> None:
        self._outcomes: dict[str, object] = {}

    def inputs(self, config: Config) -> Inputs:
        """Return a cell's input files; synthetic ones are generated. Raises OptionError, OSError."""
        return self._once(_images_key(config), lambda: _inputs(config))

    def vetted(self, config: Config) -> Vetted:
        """Return which inputs can be augmented, with their sizes. Raises OSError and OptionError.

        OptionError names every bad image if the cell does not skip them, or if no good one is left.
        """
        inputs = self.inputs(config)
        if size := config.size():  # the suite itself generated or resized them
            return Vetted(inputs.files, (size,) * len(inputs.files), {})
        output = config.output_place if config.saving else None
        if output:
            output.mkdir(parents=True, exist_ok=True)
        demands = config.max_image_pixels, output, config.n_augmentations, config.pipeline
        key = f"{_images_key(config)} {demands}"
        vetted = self._once(key, lambda: usable(inputs.files, *demands))
        _refuse_bad_images(vetted, len(inputs.files), config.on_bad_image)
        return vetted

    def _once(self, key: str, compute: Callable[[], T]) -> T:
        """Return or raise what `compute` returned or raised on the first call with this key."""
        if key not in self._outcomes:
            try:
                self._outcomes[key] = compute()
            except (OptionError, OSError) as error:
                self._outcomes[key] = error
        outcome = self._outcomes[key]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome  # type: ignore[return-value]


def _images_key(config: Config) -> str:
    options = (config.dataset, config.n_images, config.image_size, config.sample, config.seed)
    return repr((*options, config.cache_dir))


def _inputs(config: Config) -> Inputs:
    cache = Path(config.cache_dir or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "augment"))
    cache = cache.expanduser()
    if isinstance(config.dataset, Folder):
        written = {config.output_place, config.results_folder, cache, Path(config.scratch_dir or cache)}
        listed = first(config.dataset.images(exclude=written), config.n_images)
    else:
        listed = config.dataset.files(config.n_images, config.size(), config.seed, cache)
    files = replace(listed, root=listed.root.absolute())
    return Inputs(stratified_sample(files, config.sample, config.seed))


def _refuse_bad_images(vetted: Vetted, n_files: int, on_bad_image: OnBadImage) -> None:
    listed = "; ".join(f"{name!r}: {reason}" for name, reason in vetted.bad.items())
    if not vetted.good:
        raise OptionError(f"dataset: none of {n_files} files is a usable image: {listed}")
    if vetted.bad and on_bad_image is OnBadImage.fail:
        bad = f"{len(vetted.bad)} of {n_files} files are no usable images"
        raise OptionError(f"on_bad_image=fail: {bad}; on_bad_image=skip leaves them out: {listed}")


def stratified_sample(files: InputFiles, count: int | None, seed: int) -> InputFiles:
    """Return at most `count` files in their order, one drawn from each of `count` strata of pixel counts."""
    if count is None or count >= len(files):
        return files
    pixels = pixel_counts(files)
    by_pixels = sorted(range(len(files)), key=pixels.__getitem__)
    random, ends = Random(seed), [k * len(files) // count for k in range(count + 1)]
    chosen = [random.choice(by_pixels[ends[k] : ends[k + 1]]) for k in range(count)]
    return files.subset(sorted(chosen))


def pixel_counts(files: Sequence[Path]) -> list[int]:
    """Return the `pixel_count` of each file."""
    with ThreadPool() as pool:
        return pool.map(pixel_count, files)


def inputs_digest(files: Sequence[Path]) -> str:
    """Return the SHA-256 (hex) of the sorted lines `{file name} {size in bytes} {SHA-256 of its bytes}`.

    A file that is not regular or cannot be read has the line `{file name} - {class of the error}`.
    """
    with ThreadPool() as pool:  # an executor's futures would take 200 MB for 100,000 files
        return hashlib.sha256(b"".join(sorted(pool.map(_digest_line, files)))).hexdigest()


def _digest_line(path: Path) -> bytes:
    try:
        with open_input(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            content = f"{file.seek(0, os.SEEK_END)} {digest}"
    except (OSError, NotRegularError) as error:
        content = f"- {type(error).__name__}"
    return f"{path.name} {content}\n".encode(errors="surrogateescape")
