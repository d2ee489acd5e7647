"""The random transform of a task: declared as data, seeded by the task, and applied to its image."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from augment.declaration import (
    CLASS,
    LIBRARY,
    PipelineError,
    construct,
    instance,
    is_factory,
    leaves,
    refuse_all_but_images,
)
from augment.images import check_pixels, error_line

if TYPE_CHECKING:
    from augment.images import Pixels
    from augment.seeded_compose import Transformer
    from augment.task_log.writer import Log

NO_ARGUMENTS = (CLASS, "library")  # keys of a factory's declaration
LIBRARIES = ("albumentations", "callable", "saved", "python")
KEYS = ("transforms", "p", "library")  # of a pipeline of albumentations' transforms
CHECKED_SIZE = (64, 48)  # width and height in pixels; larger images take longer and show no more
LARGER_THAN_DEFAULTS = 1100  # pixels; albumentations.Crop has 1024
SMALLEST_SAFE_SIDE, LARGEST_SAFE_SIDE = 32, 4096  # pixels; below the first, a transform may fail


def task_seed(seed: int, image_index: int, augmentation_index: int) -> int:
    """Return the seed of 32 bits of one task: a function of these three numbers only.

    So every strategy at every worker count makes the same pixels (NumPy's SeedSequence, spawn keys).
    """
    from numpy.random import SeedSequence

    sequence = SeedSequence(seed, spawn_key=(image_index, augmentation_index))
    return int(sequence.generate_state(1)[0])


def check(pipeline: Mapping[str, Any]) -> None:
    """Raise PipelineError, with the name of the class or key, if a pipeline cannot be built."""
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
    refuse_all_but_images(pipeline)
    for key in pipeline:
        if key not in KEYS:
            raise PipelineError(f"pipeline.{key}: nothing reads it; beside transforms there is only p")
    if not (isinstance(p := pipeline.get("p", 1), int | float) and 0 <= p <= 1):
        raise PipelineError(f"pipeline.p={p}: must be 0 to 1")
    _check_transforms(pipeline)


def _check_transforms(pipeline: Mapping[str, Any]) -> None:
    """Build a pipeline once. Raises PipelineError, also for an argument that the library only warns of."""
    from albumentations import BasicTransform
    from albumentations.core.composition import BaseCompose

    from augment.seeded_compose import build

    with warnings.catch_warnings():
        warnings.filterwarnings("error", r"Argument\(s\)")
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


def check_on_image(pipeline: Mapping[str, Any]) -> None:
    """Raise PipelineError if a transform of the library needs more than an image, or makes none of 8 bits.

    A user's class is not tried, because it may hang or end the process.
    """
    for leaf in leaves(pipeline):
        if others := {*construct(leaf).targets_as_params} - {"image"}:
            raise PipelineError(
                f"pipeline: {leaf[CLASS]} needs {', '.join(others)}; only images are augmented"
            )
        side, side_of_all = safe_side(leaf), max(safe_side(pipeline), LARGER_THAN_DEFAULTS)
        is_tried = leaf[CLASS].startswith(LIBRARY)
        if is_tried and (failure := _failure_in(pipeline, leaf, (side, side), (side_of_all, side_of_all))):
            raise PipelineError(f"pipeline: cannot work on images alone: {failure}")


def check_reuse(pipeline: Mapping[str, Any], size: tuple[int, int]) -> None:
    """Raise PipelineError if the pipeline, or a transform of it alone, makes other pixels if it is reused.

    The images are small, or of `size` (width, height in pixels) if the transform fails on small ones.
    """
    alone = [(leaf[CLASS], {"transforms": [leaf]}) for leaf in leaves(pipeline)]
    for name, part in [*alone, ("the pipeline", pipeline)]:
        if differ(name, transformer(part, is_reused=False), transformer(part, is_reused=True), size):
            raise PipelineError(
                f"runtime.reuse_pipeline=true: {name} makes other pixels than one built anew (it keeps a "
                "state between calls, or draws not only from its seed); give runtime.reuse_pipeline=false"
            )


def _noise(width: int, height: int) -> Pixels:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def differ(
    name: str, first: Transformer, second: Transformer, size: tuple[int, int], n_seeds: int = 4
) -> bool:
    """Return whether two transformers differ on small images, or on `size` if they fail on these."""
    import numpy as np

    for (width, height), rounds in ((CHECKED_SIZE, n_seeds // 2), (size, 2)):
        images = _noise(width, height), _noise(width + 16, height + 8)
        try:
            return not all(
                np.array_equal(first(seed, image.copy()), second(seed, image.copy()))
                for seed, image in enumerate(images * rounds)
            )
        except Exception as error:  # whatever a library does with too few pixels
            reason = error_line(error)
    raise PipelineError(f"pipeline: {name} cannot be tried on {size[0]}x{size[1]}: {reason}")


def misfit(pipeline: Mapping[str, Any], width: int, height: int) -> str | None:
    """Return why an image of this size is too small for the pipeline; None if it is not.

    A size is tried once in a process.
    """
    _, side, reasons = _sizes.get(id(pipeline)) or _sizes.setdefault(
        id(pipeline), (pipeline, safe_side(pipeline), {})
    )
    if min(width, height) >= side:
        return None
    if (width, height) not in reasons:
        size, large = (width, height), (side, side)
        tried = (leaf for leaf in leaves(pipeline) if min(size) < safe_side(leaf))
        failures = (
            failure
            for leaf in tried
            if (failure := _failure_in(pipeline, leaf, size, size))
            and not _failure_in(pipeline, leaf, large, large)
        )
        failure = next(failures, None)
        reasons[size] = failure and f"{width}x{height} pixels are too small for {failure}"
    return reasons[width, height]


# By id: a pipeline, kept so that no other gets its id, its safe side, and why sizes do not fit it.
_sizes: dict[int, tuple[Mapping[str, Any], int, dict[tuple[int, int], str | None]]] = {}


def safe_side(pipeline: Mapping[str, Any]) -> int:
    """Return a side in pixels with which no image is too small: the largest integer of the declaration."""
    numbers = re.findall(r"(?<![\w.])\d+(?![\w.])", json.dumps(pipeline))
    return min(max(SMALLEST_SAFE_SIDE, *map(int, numbers), 0), LARGEST_SAFE_SIDE)


def _failure_in(
    pipeline: Mapping[str, Any], leaf: dict[str, Any], size: tuple[int, int], size_of_all: tuple[int, int]
) -> str | None:
    """Return why a leaf of a pipeline fails on a size, if also the whole fails on its size; else None.

    Alone, a crop may fail that has padding before it in the pipeline.
    """
    from augment.seeded_compose import always, build

    if (reason := _failure(build({"transforms": [leaf]}, 0), _noise(*size), 4)) is None:
        return None
    whole, image = build(pipeline, 0), _noise(*size_of_all)
    fails = _failure(whole, image, 16) or _failure(always(whole), image, 16)
    return f"{leaf[CLASS].rpartition('.')[2]}: {reason}" if fails else None


def _failure(compose: Any, image: Pixels, n_seeds: int) -> str | None:
    """Return why a pipeline makes no image that can be encoded, with one of the seeds below `n_seeds`."""
    for seed in range(n_seeds):
        compose.set_random_seed(seed)
        try:
            check_pixels(compose(image=image.copy())["image"])
        except Exception as error:  # libraries raise anything
            return error_line(error)
    return None
