"""How a process transforms: a task's pipeline is rebuilt from its seed, or reused and seeded anew; the
pixels are the same. Each kind is a function of the task's seed and of its image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from augment.images import error_line
from augment.pipeline import CLASS, Library, PipelineError, build, leaves, library_of, make
from augment.task_log.transform_timer import Timed, wrap_leaves

if TYPE_CHECKING:
    from albumentations import BasicTransform
    from albumentations.core.composition import BaseCompose

    from augment.images import Pixels
    from augment.task_log.writer import Log

Transformer = Callable[[int, "Pixels"], "Pixels"]
SEEDS = 4  # that `check_reuse` compares, of every transform alone and of all together
SMALL = (160, 120)  # pixels of the images that it tries first


def transformer(pipeline: Mapping[str, Any], is_reused: bool, log: Log) -> Transformer:
    """What makes a task's augmented image from its seed and its image, its transforms timed in the log."""
    if library_of(pipeline) is Library.callable:
        return partial(_called, pipeline, log)
    return Reused(pipeline, log) if is_reused else partial(_rebuilt, pipeline, log)


def _rebuilt(pipeline: Mapping[str, Any], log: Log, seed: int, pixels: Pixels) -> Pixels:
    transform = build(pipeline, seed)
    if log.timing:
        wrap_leaves(transform, lambda leaf: Timed(leaf, log))
    return cast("Pixels", transform(image=pixels)["image"])


def _called(pipeline: Mapping[str, Any], log: Log, seed: int, pixels: Pixels) -> Pixels:
    begin = log.clock()
    augmented = make(pipeline, seed)(pixels)
    if log.timing:
        log.transformed(str(pipeline[CLASS]).rpartition(".")[2], begin)
    return augmented


class Reused:
    """A pipeline built once and seeded anew for each task: the pixels of one built anew, where transforms
    keep nothing but their random state from call to call. `check_reuse` finds those that keep more."""

    def __init__(self, pipeline: Mapping[str, Any], log: Log) -> None:
        self._compose, self._leaves = build(pipeline, 0), list[Seeded]()
        self._groups = list(_groups(self._compose))
        wrap_leaves(self._compose, partial(self._wrap, log))

    def _wrap(self, log: Log, transform: BasicTransform) -> Seeded:
        self._leaves.append(leaf := Seeded(transform, log))
        return leaf

    def __call__(self, seed: int, pixels: Pixels) -> Pixels:
        from numpy.random import default_rng

        for leaf in self._leaves:
            leaf.seed = seed
        for group in self._groups:  # as their set_random_seed does, which would seed every leaf too
            group.seed, group.random_generator, group.py_random = seed, default_rng(seed), Random(seed)
        return cast("Pixels", self._compose(image=pixels)["image"])


def _groups(group: BaseCompose) -> Iterator[BaseCompose]:
    from albumentations.core.composition import BaseCompose

    yield group
    for part in group.transforms:
        if isinstance(part, BaseCompose):
            yield from _groups(part)


class Seeded(Timed):
    """A transform that is seeded when a task calls it first: most of them no task calls."""

    seed: int | None = None

    def __call__(self, *args: Any, **data: Any) -> Any:
        if self.seed is not None:
            self._transform.set_random_seed(self.seed)
            self.seed = None
        return super().__call__(*args, **data)


def check_reuse(pipeline: Mapping[str, Any], size: tuple[int, int]) -> None:
    """Raises PipelineError, naming the transform, where one alone, or the pipeline, makes other pixels reused
    than rebuilt, for a few seeds and images of alternating sizes: small ones, or of `size` (width, height in
    pixels) where it cannot work on these."""
    option = "runtime.reuse_pipeline=true"
    parts = [(part[CLASS], {"transforms": [part]}) for part in leaves(pipeline)]
    for name, part in [*parts, ("the pipeline", pipeline)]:
        if _differs(part, size):
            raise PipelineError(
                f"{option}: {name} makes other pixels than one built anew (it keeps something from call to "
                "call, or draws from elsewhere than its seed); give runtime.reuse_pipeline=false"
            )


def _differs(pipeline: Mapping[str, Any], size: tuple[int, int]) -> bool:
    try:
        return _differs_on(pipeline, SMALL)
    except Exception:  # whatever a transform does with too few pixels
        pass
    try:
        return _differs_on(pipeline, size)
    except Exception as error:
        raise PipelineError(
            f"pipeline: cannot be tried on {size[0]}x{size[1]}: {error_line(error)}"
        ) from error


def _differs_on(pipeline: Mapping[str, Any], size: tuple[int, int]) -> bool:
    import numpy as np

    width, height = size
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (height + k, width + 2 * k, 3), np.uint8) for k in (0, 8)]
    reused = Reused(pipeline, cast("Log", _Untimed))
    for seed in range(SEEDS):
        for image in images:  # copies: a transform may write into what it is given
            expected = build(pipeline, seed)(image=image.copy())["image"]
            try:
                made = reused(seed, image.copy())
            except Exception:  # of what it keeps from another image
                return True
            if not np.array_equal(expected, made):
                return True
    return False


class _Untimed:
    """A log that asks for no times."""

    timing = False
