"""The random transform of a task: declared as data, seeded by the task, and applied to its image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from augment.declaration import CLASS, PipelineError, construct, instance, is_factory, leaves
from augment.images import error_line

if TYPE_CHECKING:
    from augment.images import Pixels
    from augment.seeded_compose import Transformer
    from augment.task_log.writer import Log

NO_ARGUMENTS = (CLASS, "library")  # keys of a factory's declaration
LIBRARIES = ("albumentations", "callable")
CHECKED_SEEDS = 4
CHECKED_SIZE = (160, 120)  # width and height in pixels; larger images take longer and show no more


def task_seed(seed: int, image_index: int, augmentation_index: int) -> int:
    """Return the seed of 32 bits of one task: a function of these three numbers only.

    So every strategy at every worker count makes the same pixels (NumPy's SeedSequence, spawn keys).
    """
    from numpy.random import SeedSequence

    sequence = SeedSequence(seed, spawn_key=(image_index, augmentation_index))
    return int(sequence.generate_state(1)[0])


def check(pipeline: Mapping[str, Any]) -> None:
    """Raise PipelineError, with the name of the class, if a pipeline cannot be built."""
    if (library := pipeline.get("library", LIBRARIES[0])) not in LIBRARIES:
        raise PipelineError(f"pipeline.library={library}: must be one of {', '.join(LIBRARIES)}")
    if is_factory(pipeline):
        if CLASS not in pipeline:
            raise PipelineError(f"pipeline.{CLASS}: missing; give the path of a factory that takes a seed")
        if not callable(_call_factory(pipeline, seed=0)):
            raise PipelineError(f"pipeline: {pipeline[CLASS]}(seed=0) must return a function of an image")
        return
    if not pipeline.get("transforms"):
        raise PipelineError("pipeline.transforms: empty; list at least one transform by its class path")
    from albumentations import BasicTransform
    from albumentations.core.composition import BaseCompose

    from augment.seeded_compose import build

    for declaration in pipeline["transforms"]:
        if not isinstance(construct(declaration), BasicTransform | BaseCompose):
            raise PipelineError(f"pipeline: {declaration} is no albumentations transform")
    build(pipeline, seed=0)


def transformer(pipeline: Mapping[str, Any], is_reused: bool, log: Log | None = None) -> Transformer:
    """Return a transformer that builds a pipeline for each task or seeds one anew; the log gets seconds."""
    if is_factory(pipeline):
        return partial(_transform_by_factory, pipeline, log)
    from augment.seeded_compose import compose_transformer  # imports albumentations: a second

    return compose_transformer(pipeline, is_reused, log)


def _transform_by_factory(pipeline: Mapping[str, Any], log: Log | None, seed: int, pixels: Pixels) -> Pixels:
    begin = log.clock() if log and log.timing else None
    augmented = _call_factory(pipeline, seed)(pixels)
    if log and begin is not None:
        log.add_transform(str(pipeline[CLASS]).rpartition(".")[2], begin)
    return augmented


def _call_factory(pipeline: Mapping[str, Any], seed: int) -> Callable[[Pixels], Pixels]:
    arguments = {key: construct(value) for key, value in pipeline.items() if key not in NO_ARGUMENTS}
    function: Callable[[Pixels], Pixels] = instance(pipeline[CLASS], {"seed": seed, **arguments})
    return function


def check_reuse(pipeline: Mapping[str, Any], size: tuple[int, int]) -> None:
    """Raise PipelineError if the pipeline, or a transform of it alone, makes other pixels if it is reused.

    The images are small, or of `size` (width, height in pixels) if the transform fails on small ones.
    """
    alone = [(leaf[CLASS], {"transforms": [leaf]}) for leaf in leaves(pipeline)]
    for name, part in [*alone, ("the pipeline", pipeline)]:
        if _changes_if_reused(part, size):
            raise PipelineError(
                f"runtime.reuse_pipeline=true: {name} makes other pixels than one built anew (it keeps a "
                "state between calls, or draws not only from its seed); give runtime.reuse_pipeline=false"
            )


def _changes_if_reused(pipeline: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Return whether a reused pipeline augments a few images of alternating sizes otherwise."""
    import numpy as np

    for width, height in (CHECKED_SIZE, size):
        noise = np.random.default_rng(0).integers(0, 256, (height + 8, width + 16, 3), np.uint8)
        tasks = [(seed, image) for seed in range(CHECKED_SEEDS) for image in (noise[:height, :width], noise)]
        rebuilt, reused = (transformer(pipeline, is_reused) for is_reused in (False, True))
        try:
            return not all(
                np.array_equal(rebuilt(seed, image.copy()), reused(seed, image.copy()))
                for seed, image in tasks
            )
        except Exception as error:  # whatever a library does with too few pixels
            reason = error_line(error)
    raise PipelineError(f"pipeline: cannot be tried on {size[0]}x{size[1]}: {reason}")
