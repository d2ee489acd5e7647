"""An albumentations pipeline in which each transform and each group has a random stream of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any, cast

from albumentations import BasicTransform, Compose
from albumentations.core.composition import BaseCompose

from augment.declaration import Declaration, construct
from augment.images import Pixels
from augment.pipeline import Transformer
from augment.task_log.writer import Log


def build(pipeline: Declaration, seed: int) -> SeededCompose:
    """Return the random transform of the task of that seed."""
    transforms = [construct(declaration) for declaration in pipeline["transforms"]]
    return SeededCompose(transforms, p=pipeline.get("p", 1), seed=seed)


class SeededCompose(Compose):  # type: ignore[misc]
    """A Compose that seeds itself and all below it by their places, numbered depth first from 0.

    The library's Compose gives every transform and group the same seed, so that they draw the same numbers:
    of two flips with p=0.5 it applies both or neither.
    """

    def set_random_seed(self, seed: int) -> None:
        """Seed the pipeline for the task of that seed of 32 bits.

        NumPy and Python hash a stream's seed as the words [seed, place], as NumPy advises for parallel
        streams (https://numpy.org/doc/stable/reference/random/parallel.html#sequence-of-integer-seeds).
        SeedSequence with spawn keys takes 4 µs more for each transform and group: 3 % of a `light` task at
        500x500.
        """
        for place, part in enumerate(parts(self)):
            if isinstance(part, BaseCompose):  # a group's method would seed all below it too
                BasicTransform.set_random_seed(part, place << 32 | seed)
            else:
                part.set_random_seed(place << 32 | seed)


def parts(part: Any) -> Iterator[Any]:
    """Yield a transform or group, then all below it, depth first."""
    yield part
    if isinstance(part, BaseCompose):  # ColorJitter, no group, lists functions as its transforms
        for child in part.transforms:
            yield from parts(child)


def always(compose: SeededCompose) -> SeededCompose:
    """Return the pipeline with p=1 for itself and all below it."""
    for part in parts(compose):
        part.p = 1
    return compose


class LazyTransform:
    """A transform that is seeded when it is called; in all else it is that transform.

    A task calls few of a pipeline's transforms, and seeding takes 13 µs. Calls are timed if the log asks for
    it. The class derives from no transform's: CPython specialises code for the classes that it meets, and
    untimed calls would be slower.
    """

    def __init__(self, transform: BasicTransform, log: Log | None) -> None:
        self._transform, self._log = transform, log
        self._seed: int | None = None  # that the next call sets

    def set_random_seed(self, seed: int) -> None:
        """Let the next call seed the transform."""
        self._seed = seed

    def __call__(self, *args: Any, **data: Any) -> Any:
        if self._seed is not None:
            self._transform.set_random_seed(self._seed)
            self._seed = None
        if self._log is None or not self._log.timing:
            return self._transform(*args, **data)
        begin = self._log.clock()
        augmented = self._transform(*args, **data)
        if self._transform.params:  # albumentations leaves them empty if p decided against the transform
            self._log.add_transform(type(self._transform).__name__, begin)
        return augmented

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transform, name)


def make_lazy(compose: SeededCompose, log: Log | None) -> None:
    """Wrap each transform of a pipeline. An object that is listed twice keeps its one stream."""
    wrap = cache(partial(LazyTransform, log=log))
    for group in [part for part in parts(compose) if isinstance(part, BaseCompose)]:
        group.transforms = [
            wrap(part) if isinstance(part, BasicTransform) else part for part in group.transforms
        ]


def transform_by_new(pipeline: Declaration, log: Log | None, seed: int, pixels: Pixels) -> Pixels:
    """Return the augmented image of a pipeline that is built for this task."""
    compose = build(pipeline, seed)
    if log is not None and log.timing:
        make_lazy(compose, log)
    return cast("Pixels", compose(image=pixels)["image"])


def reseeded(compose: SeededCompose, log: Log | None = None) -> Transformer:
    """Return the transformer that seeds this pipeline anew for each task."""
    make_lazy(compose, log)

    def transform(seed: int, pixels: Pixels) -> Pixels:
        compose.set_random_seed(seed)
        return cast("Pixels", compose(image=pixels)["image"])

    return transform
