"""The functions that apply a task's random transform to its image.

A task's pipeline is rebuilt for each task, or built once and seeded anew; the pixels are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from augment.images import error_line
from augment.pipeline import CLASS, Library, PipelineError, leaves, library_of, make

if TYPE_CHECKING:
    from augment.images import Pixels
    from augment.task_log.writer import Log

Transformer = Callable[[int, "Pixels"], "Pixels"]
CHECKED_SEEDS = 4
CHECKED_SIZE = (160, 120)  # width and height in pixels; larger images take longer and show no more


def transformer(pipeline: Mapping[str, Any], is_reused: bool, log: Log | None = None) -> Transformer:
    """Return the function from a task's seed and image to its augmented image.

    The log, if there is one, gets the seconds of each transform.
    """
    if library_of(pipeline) is Library.callable:
        return partial(_call_factory, pipeline, log)
    from augment import seeded_compose  # imports albumentations: a second

    kind = seeded_compose.reused if is_reused else seeded_compose.rebuilt
    return kind(pipeline, log)


def _call_factory(pipeline: Mapping[str, Any], log: Log | None, seed: int, pixels: Pixels) -> Pixels:
    if log is None or not log.timing:
        return make(pipeline, seed)(pixels)
    begin = log.clock()
    augmented = make(pipeline, seed)(pixels)
    log.transformed(str(pipeline[CLASS]).rpartition(".")[2], begin)
    return augmented


def check_reuse(pipeline: Mapping[str, Any], size: tuple[int, int]) -> None:
    """Raise PipelineError if the pipeline, or a transform of it alone, makes other pixels if it is reused.

    The images are small, or of `size` (width, height in pixels) if the transform fails on small ones.
    """
    alone = [(leaf[CLASS], {"transforms": [leaf]}) for leaf in leaves(pipeline)]
    for name, part in [*alone, ("the pipeline", pipeline)]:
        rebuilt, reused = (_digest(transformer(part, is_reused), size) for is_reused in (False, True))
        if rebuilt != reused:
            raise PipelineError(
                f"runtime.reuse_pipeline=true: {name} makes other pixels than one built anew (it "
                "keeps something from call to call, or draws from elsewhere than its seed); give "
                "runtime.reuse_pipeline=false"
            )


def _digest(transform: Transformer, size: tuple[int, int]) -> str:
    """Return the digest of a few augmented images of alternating sizes. Raise PipelineError if it fails."""
    from numpy.random import default_rng

    for width, height in (CHECKED_SIZE, size):
        images = [default_rng(0).integers(0, 256, (height + k, width + 2 * k, 3), "uint8") for k in (0, 8)]
        tasks = [(seed, image.copy()) for seed in range(CHECKED_SEEDS) for image in images]
        try:
            return sha256(b"".join(transform(*task).tobytes() for task in tasks)).hexdigest()
        except Exception as error:  # whatever a library does with too few pixels
            reason = error_line(error)
    raise PipelineError(f"pipeline: cannot be tried on {size[0]}x{size[1]}: {reason}")
