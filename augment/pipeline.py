"""The random transform of a task: declared as data, seeded by the task, and applied to its image."""

import json
import re
import warnings
from collections.abc import Callable
from functools import cache, partial
from itertools import cycle
from typing import Any

from augment.declaration import CLASS, LIBRARY, Declaration, construct, instance, is_factory, leaves
from augment.images import Pixels, check_pixels, error_line
from augment.options import OptionError
from augment.task_log.writer import Log

Transformer = Callable[[int, Pixels], Pixels]  # from a task's seed and image to its augmented image
Size = tuple[int, int]  # width and height in pixels
LIBRARIES = ("albumentations", "callable", "saved", "python")
KEYS = {"transforms", "p", "library"}  # of a pipeline of albumentations' transforms
CHECKED_SIZE = 64, 48  # larger images take longer and show no more
LARGER_THAN_DEFAULTS = 1100  # pixels; albumentations.Crop has 1024
SMALLEST_SAFE_SIDE, LARGEST_SAFE_SIDE = 32, 4096  # pixels; below the first, a transform may fail


def task_seed(seed: int, image_index: int, augmentation_index: int) -> int:
    """Return the 32-bit seed of a task: a function of these numbers only, and so alike in all strategies."""
    from numpy.random import SeedSequence

    sequence = SeedSequence(seed, spawn_key=(image_index, augmentation_index))
    return int(sequence.generate_state(1)[0])


def check(pipeline: Declaration) -> None:
    """Raise OptionError, with the name of the class or key, if a pipeline cannot be built."""
    if (library := pipeline.get("library", LIBRARIES[0])) not in LIBRARIES:
        raise OptionError(f"pipeline.library={library}: must be one of {', '.join(LIBRARIES)}")
    if not is_factory(pipeline):
        _check_transforms(pipeline)
    elif CLASS not in pipeline:
        raise OptionError(f"pipeline.{CLASS}: missing; give the path of a factory that takes a seed")
    elif not callable(_call_factory(pipeline, seed=0)):
        raise OptionError(f"pipeline: {pipeline[CLASS]}(seed=0) must return a function of an image")


def _check_transforms(pipeline: Declaration) -> None:
    """Raise OptionError for wrong keys or transforms, also for an argument that the library warns of."""
    if not pipeline.get("transforms"):
        raise OptionError("pipeline.transforms: empty; list at least one transform by its class path")
    if unread := pipeline.keys() - KEYS:
        raise OptionError(f"pipeline.{min(unread)}: nothing reads it; beside transforms there is only p")
    if not (isinstance(p := pipeline.get("p", 1), int | float) and 0 <= p <= 1):
        raise OptionError(f"pipeline.p={p}: must be 0 to 1")

    from albumentations.core.serialization import Serializable  # imported late: it takes a second

    with warnings.catch_warnings():
        warnings.filterwarnings("error", r"Argument\(s\)")
        for declaration in pipeline["transforms"]:
            if not isinstance(construct(declaration), Serializable):
                raise OptionError(f"pipeline: {declaration} is no albumentations transform")


def transformer(pipeline: Declaration, is_reused: bool, log: Log | None = None) -> Transformer:
    """Return a transformer that builds a pipeline for each task or seeds one anew; the log gets seconds."""
    if is_factory(pipeline):
        return lambda seed, pixels: _call_factory(pipeline, seed)(pixels)
    from augment.seeded_compose import build, reseeded, transform_by_new  # imports albumentations: a second

    return reseeded(build(pipeline, 0), log) if is_reused else partial(transform_by_new, pipeline, log)


def _call_factory(pipeline: Declaration, seed: int) -> Callable[[Pixels], Pixels]:
    arguments = {key: construct(value) for key, value in pipeline.items() if key not in (CLASS, "library")}
    function: Callable[[Pixels], Pixels] = instance(pipeline[CLASS], {"seed": seed, **arguments})
    return function


def check_on_image(pipeline: Declaration) -> None:
    """Raise OptionError if a transform of the library needs more than an image, or makes none of 8 bits.

    A user's class is not tried, because it may hang or end the process.
    """
    for leaf in leaves(pipeline):
        if others := {*construct(leaf).targets_as_params} - {"image"}:
            raise OptionError(f"pipeline: {leaf[CLASS]} needs {', '.join(others)}; only images are augmented")
        if not leaf[CLASS].startswith(LIBRARY) or not _failure(pipeline, leaf, CHECKED_SIZE):
            continue
        if failure := _failure(pipeline, leaf, large_size(pipeline)):
            raise OptionError(f"pipeline: cannot work on images alone: {failure}")


def check_reuse(pipeline: Declaration) -> None:
    """Raise OptionError if the pipeline, or a transform of it alone, makes other pixels if it is reused."""
    alone = [(leaf[CLASS], {"transforms": [leaf]}) for leaf in leaves(pipeline)]
    for name, part in [*alone, ("the pipeline", pipeline)]:
        anew, reused = (transformer(part, is_reused) for is_reused in (False, True))
        if differ(name, anew, reused, large_size(pipeline)):
            raise OptionError(
                f"runtime.reuse_pipeline=true: {name} makes other pixels than one built anew (it keeps a "
                "state between calls, or draws not only from its seed); give runtime.reuse_pipeline=false"
            )


def differ(name: str, first: Transformer, second: Transformer, size: Size, n_seeds: int = 4) -> bool:
    """Return whether two transformers differ on small images, or on `size` if they fail on these."""
    import numpy as np

    for width, height in (CHECKED_SIZE, size):
        images = _noise(width, height), _noise(width + 16, height + 8)
        try:
            return not all(
                np.array_equal(first(seed, image.copy()), second(seed, image.copy()))
                for seed, image in zip(range(n_seeds), cycle(images))
            )
        except Exception as error:  # whatever a library does with too few pixels
            reason = error_line(error)
    raise OptionError(f"pipeline: {name} cannot be tried on {size[0]}x{size[1]}: {reason}")


def size_check(pipeline: Declaration) -> Callable[[int, int], str | None]:
    """Return `misfit` as a function of width and height, which tries a size once."""
    side, tried = safe_side(pipeline), cache(partial(misfit, pipeline))
    return lambda width, height: None if min(width, height) >= side else tried(width, height)


def misfit(pipeline: Declaration, width: int, height: int) -> str | None:
    """Return why an image of this size is too small for the pipeline; None if it is not."""
    for leaf in leaves(pipeline):
        if min(width, height) >= safe_side(leaf):
            continue
        failure = _failure(pipeline, leaf, (width, height))
        if failure and not _failure(pipeline, leaf, large_size(pipeline)):
            return f"{width}x{height} pixels are too small for {failure}"
    return None


def safe_side(pipeline: Declaration) -> int:
    """Return a side in pixels with which no image is too small: the largest integer of the declaration."""
    numbers = re.findall(r"(?<![\w.])\d+(?![\w.])", json.dumps(pipeline))
    return min(max([SMALLEST_SAFE_SIDE, *map(int, numbers)]), LARGEST_SAFE_SIDE)


def large_size(pipeline: Declaration) -> Size:
    """Return a size that is large enough for every pipeline, also by the defaults of its arguments."""
    side = max(safe_side(pipeline), LARGER_THAN_DEFAULTS)
    return side, side


def _failure(pipeline: Declaration, leaf: dict[str, Any], size: Size) -> str | None:
    """Return why a leaf of a pipeline fails on a size, if also the whole fails on it; else None.

    Alone, a crop may fail that has padding before it in the pipeline.
    """
    from augment.seeded_compose import always, build

    if (reason := _first_error(build({"transforms": [leaf]}, 0), size, 4)) is None:
        return None
    fails = _first_error(build(pipeline, 0), size, 16) or _first_error(always(build(pipeline, 0)), size, 16)
    return f"{leaf[CLASS].rpartition('.')[2]}: {reason}" if fails else None


def _first_error(compose: Any, size: Size, n_seeds: int) -> str | None:
    """Return why a pipeline makes no image that can be encoded, with one of the seeds below `n_seeds`."""
    image = _noise(*size)
    for seed in range(n_seeds):
        compose.set_random_seed(seed)
        try:
            check_pixels(compose(image=image.copy())["image"])
        except Exception as error:  # libraries raise anything
            return error_line(error)
    return None


def _noise(width: int, height: int) -> Pixels:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
