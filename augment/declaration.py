"""The declaration of a pipeline as data, and the objects that it stands for.

A pipeline is `{"transforms": [{"_target_": class path, argument: value, …}, …], "p": 1}` of albumentations'
transforms, or `{"library": "callable", "_target_": path of a factory, argument: value, …}`. A factory gets
the task's seed and the arguments. It returns a function from image to image, of any library.
"""

import pkgutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import signature
from typing import Any

from augment.options import OptionError

Declaration = Mapping[str, Any]
CLASS = "_target_"
LIBRARY = "albumentations."


def is_factory(pipeline: Declaration) -> bool:
    """Return whether a pipeline is made by a factory, not of albumentations' transforms."""
    return pipeline.get("library") == "callable"


def leaves(pipeline: Declaration) -> Iterator[dict[str, Any]]:
    """Yield the declarations of all albumentations transforms of a pipeline that may run, with p=1."""
    for part in () if is_factory(pipeline) else pipeline.get("transforms", ()):
        if "transforms" in part:
            yield from leaves(part)
        elif part.get("p") != 0:
            yield part | {"p": 1} if "p" in signature(locate(part[CLASS])).parameters else part


def construct(declaration: Any) -> Any:
    """Return the object that a declaration stands for: an instance for each mapping with a class path.

    A list without mappings becomes a tuple, as albumentations takes ranges. `hydra.utils.instantiate` would
    take four times as long, in every task.
    """
    if isinstance(declaration, Mapping):
        arguments = {key: construct(value) for key, value in declaration.items() if key != CLASS}
        return instance(declaration[CLASS], arguments) if CLASS in declaration else arguments
    if isinstance(declaration, list | tuple):
        parts = [construct(part) for part in declaration]
        return parts if any(isinstance(part, Mapping) for part in declaration) else tuple(parts)
    return declaration


def instance(path: str, arguments: dict[str, Any]) -> Any:
    """Return what the class or function at a path makes of these arguments. Raises OptionError."""
    try:
        return locate(path)(**arguments)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise OptionError(f"pipeline: {path}({arguments}) cannot be built: {reason}") from error


@cache
def locate(path: str) -> Any:
    """Return the object at a path. Raises OptionError if other processes cannot import it."""
    if path.startswith("__main__"):
        raise OptionError(f"{path}: other processes cannot import __main__; move it to a module")
    try:
        return pkgutil.resolve_name(path)
    except ImportError:
        if sys.modules.get("albumentations.pytorch", sys) is not None:
            raise
        del sys.modules["albumentations.pytorch"]  # the user's module needs it
        return pkgutil.resolve_name(path)
