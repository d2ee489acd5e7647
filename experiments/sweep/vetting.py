"""Which of a dataset's files can be augmented, and why the others cannot."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path

from augment.datasets.base import Size
from augment.filesystem import as_local, is_local
from augment.images import ImageError, decode
from augment.pipeline import construct, leaves
from augment.workload import Workload
from experiments.machine.environment import usable_cpus
from experiments.sweep.headers import dimensions, open_regular

SMALL = 32  # pixels a side, below which transforms may lack room


@dataclass(frozen=True)
class Vetted:
    """The files that can be augmented, in their order, with their width and height as decoded; for
    the others, by file name, the reason in one line. Names keep their surrogate escapes."""

    good: tuple[Path, ...]
    sizes: tuple[Size, ...]
    bad: dict[str, str]


def usable(
    files: Sequence[Path],
    most_pixels: int,
    output: Path | None = None,
    n_augmentations: int = 1,
    pipeline: str = '{"transforms": []}',
) -> Vetted:
    """Decode the files of a folder as tasks do, and return which of them can be augmented.

    A file is bad if it is empty or not a regular file, if OpenCV cannot decode it, if it has more than
    `most_pixels` pixels or too few for the `pipeline` (as JSON), or if the names of its outputs would be
    too long for the folder `output` (None: not saved)."""

    def vet(file: Path) -> Size | str:
        return name_problem(file, output, n_augmentations) or _size_or_reason(file, most_pixels, pipeline)

    with ThreadPool(usable_cpus()) as pool:  # OpenCV decodes without the GIL
        outcomes = dict(zip(files, pool.map(vet, files), strict=True))
    sizes = {file: outcome for file, outcome in outcomes.items() if isinstance(outcome, tuple)}
    bad = {file.name: outcome for file, outcome in outcomes.items() if isinstance(outcome, str)}
    return Vetted(tuple(sizes), tuple(sizes.values()), bad)


def name_problem(file: Path, output: Path | None, n_augmentations: int) -> str | None:
    """Return why the outputs of a file cannot have their names in the folder `output`; None if they can."""
    if output is None or not is_local(output):
        return None
    longest = Workload((file,), n_augmentations, {}, 0, output).output_name(0, n_augmentations - 1)
    fits = len(os.fsencode(longest)) <= os.pathconf(output, "PC_NAME_MAX")
    return None if fits else "name too long for its augmentations"


def _size_or_reason(file: Path, most_pixels: int, pipeline: str) -> Size | str:
    """Return width and height of a good file, or why it is bad."""
    try:
        with as_local(file) as local, open_regular(local) as opened:
            if not os.fstat(opened.fileno()).st_size:
                return "empty"
            width, height = dimensions(local) or (0, 0)
            if not width:
                return "no whole header of a known image format"
            if width * height > most_pixels:
                return f"{width}x{height} pixels are more than max_image_pixels={most_pixels}"
            height, width, _ = decode(local).shape
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ImageError as error:
        return str(error).removeprefix(f"{local}: ")
    return misfit(pipeline, width, height) or (width, height)


@cache
def misfit(pipeline: str, width: int, height: int) -> str | None:
    """Return why an image is too small for one of the pipeline's transforms (JSON); None if it is not."""
    if min(width, height) >= SMALL:
        return None
    import numpy as np

    for declaration in leaves(json.loads(pipeline)):
        transform = construct(declaration)
        try:
            transform(image=np.zeros((height, width, 3), np.uint8))
        except Exception as error:  # whatever a library does with too few pixels
            return f"{width}x{height} pixels are too small for {type(transform).__name__}: {error}"
    return None
