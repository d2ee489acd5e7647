"""The files of a cell: the images that it reads, and where it writes what."""

import json
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import psutil

from augment.location import absolute, is_local, location
from augment.option import OptionError
from experiments.host.provenance import UNKNOWN
from experiments.inputs.content import inputs_digest
from experiments.inputs.sample import dimensions, drawn
from experiments.inputs.vetting import Vetted, usable
from experiments.plan.cell import Cell
from experiments.plan.options import OnBadImage


def results_folder(cell: Cell) -> Path:
    return Path(cell.config.results_dir).expanduser()


def output_place(cell: Cell) -> Path:
    """The folder, or the address, at which the cell's outputs are written."""
    config = cell.config
    return absolute(location(config.output_dir or config.scratch_dir or tempfile.gettempdir()))


def file_system(place: Path) -> str:
    """Type and mount point of the file system that a path is on, or will be: `ext4 /home`; of an address
    its begin: `s3://bucket`."""
    if not is_local(place):
        return "/".join(str(place).split("/")[:3])
    types = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    folders = map(str, (place.resolve(), *place.resolve().parents))
    return next((f"{types[folder]} {folder}" for folder in folders if folder in types), UNKNOWN)


def input_files(cell: Cell) -> list[Path]:
    """The images of a cell's dataset, made where they are synthetic, or a sample of them. Raises DatasetError
    and OSError."""
    config = cell.config
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    cached = Path(config.cache_dir or Path(base, "augment")).expanduser()
    files: list[Path] = config.dataset.files(config.n_images, config.size(), config.seed, cached)
    return drawn([absolute(path) for path in files], config.sample, config.seed)


def first_size(cell: Cell) -> tuple[int, int] | None:
    """Width and height of the first of a cell's images whose header tells."""
    try:
        return next(filter(None, map(dimensions, input_files(cell))), None)
    except (OptionError, OSError):  # becomes a failed row when the trial is tried
        return None


content_digest = cache(inputs_digest)  # the same files serve many cells of a sweep


def vetted(cell: Cell, files: Sequence[Path]) -> Vetted:
    """The inputs, with their sizes; those that are no usable images are left out if the cell skips
    them. Raises OptionError that names every one of them if it does not, or if none remains."""
    config = cell.config
    if size := config.size():  # made at that size by the suite itself
        return Vetted(tuple(files), (size,) * len(files), {})
    output = output_place(cell) if config.saving else None
    if output:
        output.mkdir(parents=True, exist_ok=True)
    pipeline = json.dumps(config.pipeline)
    inputs = _usable(tuple(files), config.max_image_pixels, output, config.n_augmentations, pipeline)
    listed = "; ".join(f"{name!r}: {reason}" for name, reason in inputs.bad.items())
    if not inputs.good:
        raise OptionError(f"dataset: none of {len(files)} files is a usable image: {listed}")
    if inputs.bad and config.on_bad_image is OnBadImage.fail:
        bad = f"{len(inputs.bad)} of {len(files)} files are no usable images"
        raise OptionError(f"on_bad_image=fail: {bad}; on_bad_image=skip leaves them out: {listed}")
    return inputs


_usable = cache(usable)  # one look serves every cell of a sweep
