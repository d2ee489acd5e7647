"""The declaration of a pipeline as data, and the objects that it stands for.

A pipeline is `{"transforms": [{"_target_": class path, argument: value, …}, …], "p": 1}` of albumentations'
transforms, or `{"library": "callable", "_target_": path of a factory, argument: value, …}`. A factory gets
the task's seed and the arguments. It returns a function from image to image, of any library.
"""

import pkgutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from augment.options import OptionError

Declaration = Mapping[str, Any]
CLASS = "_target_"
LIBRARY = "albumentations."
UNSUPPORTED = {  # arguments and classes, with the reason
    "bbox_params": "only images are augmented; leave it out",
    "keypoint_params": "only images are augmented; leave it out",
    "additional_targets": "only images are augmented; leave it out",
    "ToTensorV2": "an output is an image of 8 bits; leave it out",
    "ReplayCompose": "only images are kept, not how they were made; take Compose",
    "Lambda": "a function is no data; take a class of a module",
}


def is_factory(pipeline: Declaration) -> bool:
    """Return whether a pipeline is made by a factory, not of albumentations' transforms."""
    return pipeline.get("library") == "callable"


def leaves(pipeline: Declaration) -> Iterator[dict[str, Any]]:
    """Yield the declarations of all albumentations transforms of a pipeline, with p=1."""
    for part in pipeline.get("transforms", ()):
        if "transforms" in part:
            yield from leaves(part)
        else:
            yield {**part, "p": 1}


def refuse_all_but_images(declaration: Any) -> None:
    """Raise OptionError if a part of a declaration takes or makes more than an image of 8 bits."""
    if isinstance(declaration, Mapping):
        arguments = {key for key, value in declaration.items() if value}
        classes = {str(value).rpartition(".")[2] for value in declaration.values()}
        for name in UNSUPPORTED.keys() & (arguments | classes):
            raise OptionError(f"pipeline: {name}: {UNSUPPORTED[name]}")
        declaration = list(declaration.values())
    if isinstance(declaration, list | tuple):
        for part in declaration:
            refuse_all_but_images(part)


def expanded(declaration: Any) -> Any:
    """Return a declaration with full class paths for bare names, and OpenCV's constants for their names."""
    match declaration:
        case Mapping():
            return {
                key: full_path(str(value)) if key == CLASS else expanded(value)
                for key, value in declaration.items()
            }
        case list() | tuple():
            return [expanded(part) for part in declaration]
        case str() if declaration.startswith("cv2."):
            try:
                return int(locate(declaration))
            except (AttributeError, TypeError, ValueError) as error:
                raise OptionError(f"pipeline: {declaration}: no constant of OpenCV") from error
    return declaration


def full_path(name: str) -> str:
    """Return the path of a class; one without a module is albumentations'."""
    return name if "." in name or ":" in name else f"{LIBRARY}{name}"


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
    """Return the object at a path. Raises OptionError if other processes cannot import it.

    A user's module may import albumentations.pytorch.
    """
    if path.startswith("__main__"):
        raise OptionError(
            f"{path} lives in __main__, which other processes cannot import; move it to a module"
        )
    is_of_user = not path.startswith(LIBRARY) and "albumentations" in sys.modules
    if is_of_user and sys.modules.get("albumentations.pytorch", sys) is None:
        del sys.modules["albumentations.pytorch"]
    return pkgutil.resolve_name(path)
