"""The random transform T_k: declared as data, and made from a task's seed."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from augment.options import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from augment.images import Pixels

CLASS = "_target_"
OWN_KEYS = (CLASS, "library")  # of a callable's declaration; the others are arguments of its factory


class Library(StrEnum):
    """What a pipeline is made of: albumentations' transforms, or a function of any library."""

    albumentations = "albumentations"
    callable = "callable"


class PipelineError(OptionError):
    """A pipeline's declaration does not make a transform."""


def task_seed(seed: int, image_index: int, augmentation_index: int) -> int:
    """The seed of one task's transform: a function of these three numbers only, so that every
    strategy at every worker count makes the same pixels (NumPy's SeedSequence, spawn keys)."""
    from numpy.random import SeedSequence

    sequence = SeedSequence(seed, spawn_key=(image_index, augmentation_index))
    return int(sequence.generate_state(1)[0])


def library_of(pipeline: Mapping[str, Any]) -> Library:
    """What a declaration is of. Raises PipelineError."""
    name = pipeline.get("library", Library.albumentations)
    try:
        return Library(name)
    except ValueError:
        raise PipelineError(f"pipeline.library={name}: must be one of {', '.join(Library)}") from None


def make(pipeline: Mapping[str, Any], seed: int) -> Callable[[Pixels], Pixels]:
    """The function from image to image that `{"library": "callable", "_target_": path of a factory,
    argument: value, …}` declares: the factory is called with the seed and the arguments."""
    arguments = {key: construct(value) for key, value in pipeline.items() if key not in OWN_KEYS}
    function: Callable[[Pixels], Pixels] = _instance(pipeline[CLASS], {"seed": seed, **arguments})
    return function


def check(pipeline: Mapping[str, Any]) -> None:
    """Raises PipelineError, naming the class, where a declaration cannot be built."""
    if library_of(pipeline) is Library.callable:
        if CLASS not in pipeline:
            raise PipelineError(f"pipeline.{CLASS}: missing; give the path of a factory that takes a seed")
        if not callable(make(pipeline, seed=0)):
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


def leaves(declaration: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The declarations of every transform below a pipeline or a group that is no group itself, each to be
    applied always; of a callable none."""
    if "transforms" in declaration:
        for part in declaration["transforms"]:
            yield from leaves(part)
    elif "library" not in declaration:
        yield {**declaration, "p": 1}


def class_paths(declaration: Any) -> Iterator[str]:
    """Every class path that a declaration names."""
    if isinstance(declaration, Mapping):
        if CLASS in declaration:
            yield str(declaration[CLASS])
        declaration = list(declaration.values())
    if isinstance(declaration, list | tuple):
        for part in declaration:
            yield from class_paths(part)


def construct(declaration: Any) -> Any:
    """What `hydra.utils.instantiate` does, which takes four times as long, and every task pays for it: an
    object from its declaration: a mapping with a class path becomes an instance, a list of
    them a list, any other list a tuple (albumentations wants tuples for ranges)."""
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
