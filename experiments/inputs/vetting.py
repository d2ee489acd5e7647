"""Which of a dataset's files can be augmented, and why the others cannot."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from augment.datasets.base import Size
from augment.image_io import ImageError
from augment.location import absolute, as_local, is_local
from augment.pipeline import construct, leaves
from augment.workload import Workload

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
    limit_s: float = 20.0,
) -> Vetted:
    """Vets the files of a folder in child processes, of which none is left, however it ends.

    A file is bad that `inspection` rejects, that is too small for the `pipeline` (as JSON), that
    takes a decoder more than `limit_s` seconds or memory out of proportion to `most_pixels`, that kills
    it, or whose outputs would have names too long for the folder `output` (None: not saved). Raises
    RuntimeError when no process for it can be started."""
    from experiments.inputs import decoder_processes  # imports the decoders

    problems = {file: name_problem(file, output, n_augmentations) for file in files}
    nameable = [file for file, problem in problems.items() if problem is None]
    calls = [(absolute(file), most_pixels, pipeline) for file in nameable]
    decoded = decoder_processes.outcomes(size_or_reason, calls, most_pixels, limit_s)
    outcomes = problems | dict(zip(nameable, decoded, strict=True))
    sizes = {file: outcome for file, outcome in outcomes.items() if isinstance(outcome, tuple)}
    bad = {file.name: outcome for file, outcome in outcomes.items() if isinstance(outcome, str)}
    return Vetted(tuple(sizes), tuple(sizes.values()), bad)


def name_problem(file: Path, output: Path | None, n_augmentations: int) -> str | None:
    """Why the outputs of a file cannot have their names in the folder `output`; None if they can."""
    if output is None or not is_local(output):
        return None
    longest = Workload((file,), n_augmentations, {}, 0, output).output_name(0, n_augmentations - 1)
    fits = len(os.fsencode(longest)) <= os.pathconf(output, "PC_NAME_MAX")
    return None if fits else "name too long for its augmentations"


def size_or_reason(file: Path, most_pixels: int, pipeline: str) -> Size | str:
    """In the child: width and height of a good file, or why it is bad."""
    from experiments.inputs import inspection

    try:
        with as_local(file) as local:
            size = inspection.inspect(local, most_pixels)
        return misfit(pipeline, *size) or size
    except ImageError as error:
        return str(error)
    except MemoryError:
        return f"needs more memory than an image of max_image_pixels={most_pixels}"


@cache
def misfit(pipeline: str, width: int, height: int) -> str | None:
    """Why an image is too small for one of the pipeline's transforms (JSON); None if it is not."""
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
