"""Which transforms of a task took how long: the leaves of its pipeline enter their calls in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from albumentations import BasicTransform
    from albumentations.core.composition import BaseCompose

    from augment.task_log.writer import Log


def wrap_leaves(group: BaseCompose, wrap: Callable[[BasicTransform], Timed]) -> None:
    """Puts a wrapper around every transform below `group` that is no group itself. Its random parameters and
    what it does to pixels stay the same."""
    from albumentations import BasicTransform

    parts = list(group.transforms)
    for place, part in enumerate(parts):
        if isinstance(part, BasicTransform):
            parts[place] = wrap(part)
        else:
            wrap_leaves(part, wrap)
    group.transforms = parts


class Timed:
    """A transform whose calls are timed where the log asks for it, and in all else that transform. (Not of a
    class derived from its: CPython specialises code for the classes that it meets, and untimed calls would be
    slower for it.)"""

    def __init__(self, transform: BasicTransform, log: Log) -> None:
        self._transform, self._log = transform, log

    def __call__(self, *args: Any, **data: Any) -> Any:
        if not self._log.timing:
            return self._transform(*args, **data)
        begin = self._log.clock()
        augmented = self._transform(*args, **data)
        if self._transform.params:  # albumentations leaves them empty where p decided against the transform
            self._log.transformed(type(self._transform).__name__, begin)
        return augmented

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transform, name)
