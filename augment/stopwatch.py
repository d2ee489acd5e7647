"""Which transforms of a task took how long: the leaves of its pipeline tell the log of their calls."""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from albumentations.core.composition import BaseCompose

    from augment.log import Log


def time_leaves(group: BaseCompose, log: Log) -> None:
    """Has every transform below `group` that is no group itself timed; what it draws and what it does
    to pixels stay the same."""
    for part in group.transforms:
        if timed := _timed(part.__class__, log):
            part.__class__ = timed
        else:
            time_leaves(part, log)


@cache
def _timed(kind: Any, log: Log) -> type | None:
    """The class `kind` with its calls timed; None where it is one of groups."""
    from albumentations import BasicTransform

    if not issubclass(kind, BasicTransform):
        return None
    call, name, clock = kind.__call__, kind.__name__, log.clock

    @wraps(kind, updated=())  # messages name the class that the user knows
    class Timed(kind):  # type: ignore[misc]
        def __call__(self, *args: Any, **data: Any) -> Any:
            begin = clock()
            made = call(self, *args, **data)
            if self.params:  # albumentations leaves them empty where p decided against the transform
                log.transformed(name, begin)
            return made

    return Timed
