"""The random transform of a task: declared as data, seeded by the task, and applied to its image.

A pipeline is `{"transforms": [{"_target_": class path, argument: value, …}, …]}` of albumentations'
transforms, or `{"library": "callable", "_target_": path of a factory, argument: value, …}`. A factory gets
the task's seed and the arguments. It returns a function from image to image, of any library.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from augment.images import error_line
from augment.options import OptionError

if TYPE_CHECKING:
    from augment.images import Pixels
    from augment.task_log.writer import Log

Transformer = Callable[[int, "Pixels"], "Pixels"]  # from a task's seed and image to its augmented image
CLASS = "_target_"
NO_ARGUMENTS = (CLASS, "library")  # keys of a factory's declaration
LIBRARIES = ("albumentations", "callable")
CHECKED_SEEDS = 4
CHECKED_SIZE = (160, 120)  # width and height in pixels; larger images take longer and show no more


class PipelineError(OptionError):
    """A declaration that makes no pipeline."""


def task_seed(seed: int, image_index: int, augmentation_index: int) -> int:
    """Return the seed of 32 bits of one task: a function of these three numbers only.

    So every strategy at every worker count makes the same pixels (NumPy's SeedSequence, spawn keys).
    """
    from numpy.random import SeedSequence

    sequence = SeedSequence(seed, spawn_key=(image_index, augmentation_index))
    return int(sequence.generate_state(1)[0])


def is_factory(pipeline: Mapping[str, Any]) -> bool:
    """Return whether a pipeline is made by a factory, not of albumentations' transforms."""
    return pipeline.get("library") == "callable"


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
    """Return the transformer that builds a pipeline for each task, or builds one and seeds it anew.

    The log, if there is one, gets the seconds of each transform.
    """
    if is_factory(pipeline):
        return partial(_transform_by_factory, pipeline, log)
    from augment.seeded_compose import compose_transformer  # imports albumentations: a second

    return compose_transformer(pipeline, is_reused, log)


def _transform_by_factory(pipeline: Mapping[str, Any], log: Log | None, seed: int, pixels: Pixels) -> Pixels:
    if log is None or not log.timing:
        return _call_factory(pipeline, seed)(pixels)
    begin = log.clock()
    augmented = _call_factory(pipeline, seed)(pixels)
    log.add_transform(str(pipeline[CLASS]).rpartition(".")[2], begin)
    return augmented


def _call_factory(pipeline: Mapping[str, Any], seed: int) -> Callable[[Pixels], Pixels]:
    arguments = {key: construct(value) for key, value in pipeline.items() if key not in NO_ARGUMENTS}
    function: Callable[[Pixels], Pixels] = _instance(pipeline[CLASS], {"seed": seed, **arguments})
    return function


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
    """Return the digest of a few augmented images of alternating sizes. Raises PipelineError."""
    from numpy.random import default_rng

    for width, height in (CHECKED_SIZE, size):
        images = [default_rng(0).integers(0, 256, (height + k, width + 2 * k, 3), "uint8") for k in (0, 8)]
        tasks = [(seed, image.copy()) for seed in range(CHECKED_SEEDS) for image in images]
        try:
            return sha256(b"".join(transform(*task).tobytes() for task in tasks)).hexdigest()
        except Exception as error:  # whatever a library does with too few pixels
            reason = error_line(error)
    raise PipelineError(f"pipeline: cannot be tried on {size[0]}x{size[1]}: {reason}")


def leaves(pipeline: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the declarations of all albumentations transforms of a pipeline, with p=1."""
    for part in pipeline.get("transforms", ()):
        if "transforms" in part:
            yield from leaves(part)
        else:
            yield {**part, "p": 1}


def class_paths(declaration: Any) -> Iterator[str]:
    """Yield every class path that a declaration names."""
    if isinstance(declaration, Mapping):
        if CLASS in declaration:
            yield str(declaration[CLASS])
        declaration = list(declaration.values())
    if isinstance(declaration, list | tuple):
        for part in declaration:
            yield from class_paths(part)


def construct(declaration: Any) -> Any:
    """Return the object that a declaration stands for: an instance for each mapping with a class path.

    A list without mappings becomes a tuple, as albumentations takes ranges. `hydra.utils.instantiate` would
    take four times as long, in every task.
    """
    if isinstance(declaration, Mapping):
        arguments = {key: construct(value) for key, value in declaration.items() if key != CLASS}
        return _instance(declaration[CLASS], arguments) if CLASS in declaration else arguments
    if isinstance(declaration, list | tuple):
        parts = [construct(part) for part in declaration]
        return parts if any(isinstance(part, Mapping) for part in declaration) else tuple(parts)
    return declaration


def _instance(path: str, arguments: dict[str, Any]) -> Any:
    try:
        return _locate(path)(**arguments)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise PipelineError(f"pipeline: {path}({arguments}) cannot be built: {reason}") from error


_locate = cache(pkgutil.resolve_name)
