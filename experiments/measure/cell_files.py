"""The files of a cell: the images that it reads, and where it writes what."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from augment.option import OptionError
from augment.workload import Workload
from experiments.inputs.vetting import Inspected, usable
from experiments.plan.cell import Cell


def output_place(cell: Cell) -> Path:
    """The folder, made if need be, on whose disk the cell's outputs are written."""
    config = cell.config
    place = Path(config.output_dir or config.scratch_dir or tempfile.gettempdir()).expanduser().absolute()
    place.mkdir(parents=True, exist_ok=True)
    return place


def input_files(cell: Cell) -> list[Path]:
    """The images of a cell's dataset, made where they are synthetic. Raises DatasetError."""
    config = cell.config
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    cached = Path(config.cache_dir or Path(base, "augment")).expanduser()
    files: list[Path] = config.dataset.files(config.n_images, config.size(), config.seed, cached)
    return [path.absolute() for path in files]


def inspected(cell: Cell, place: Path) -> Inspected:
    """The inputs, with their sizes; those that are no usable images are left out if the cell skips
    them. Raises OptionError that names every one of them if it does not, or if none remains."""
    files, config = tuple(input_files(cell)), cell.config
    if size := config.size():  # made at that size by the suite itself
        return Inspected(files, (size,) * len(files), {})
    kept = place if config.saving else None
    found = _looked_into(
        files, config.max_image_pixels, kept, config.n_augmentations, json.dumps(config.pipeline)
    )
    listed = "; ".join(f"{name!r}: {reason}" for name, reason in found.bad.items())
    if not found.good:
        raise OptionError(f"dataset: none of {len(files)} files is a usable image: {listed}")
    if found.bad and config.on_bad_image == "fail":
        raise OptionError(
            f"on_bad_image=fail: {len(found.bad)} of {len(files)} files are no usable images: {listed}"
        )
    return found


# One look serves every cell of a sweep.
_looked_into = cache(usable)


def planned_outputs(cell: Cell, inputs: Sequence[Path]) -> Iterator[str]:
    """The names of all files that the cell will write."""
    workload = Workload(tuple(inputs), cell.config.n_augmentations, {}, 0, None)
    return (workload.output_name(*task) for task in workload.tasks())
