"""Pipelines as people give them: declarations, files that albumentations saved, and objects in modules.

Files and objects are taken apart into declarations. What is built of these is compared with what they were.
"""

import inspect
import json
import warnings
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from augment.declaration import CLASS, LIBRARY, Declaration, construct, is_factory, locate
from augment.filesystem import location, read_bytes
from augment.images import error_line
from augment.options import OptionError
from augment.pipeline import differ, large_size

NAME = "__class_fullname__"  # albumentations' key of a class
UNSUPPORTED = {  # arguments and classes, with the reason
    "bbox_params": "only images are augmented; leave it out",
    "keypoint_params": "only images are augmented; leave it out",
    "additional_targets": "only images are augmented; leave it out",
    "ToTensorV2": "an output is an image of 8 bits; leave it out",
    "ReplayCompose": "only images are kept, not how they were made; take Compose",
    "Lambda": "a function is no data; take a class of a module",
}


def resolved(pipeline: Declaration) -> Declaration:
    """Return the declaration of transforms or a factory that a pipeline means. Raises OptionError."""
    library = pipeline.get("library")
    if library not in ("saved", "python"):
        return pipeline if is_factory(pipeline) else dict(expanded(pipeline))
    option = "path" if library == "saved" else "object"
    if unread := pipeline.keys() - {"library", option}:
        raise OptionError(f"pipeline.{min(unread)}: nothing reads it; pipeline={library} has only {option}")
    value = str(pipeline.get(option))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `check` has its say about arguments
            return _of_file(location(value)) if library == "saved" else _of_object(value)
    except Exception as error:  # a user's module may raise anything
        reason = error_line(error).removeprefix("pipeline: ")
        raise OptionError(f"pipeline.{option}={value}: {reason}") from error


def expanded(declaration: Any) -> Any:
    """Return a declaration with full class paths for bare names, and OpenCV's constants for their names.

    Raises OptionError if a part of it takes or makes more than an image of 8 bits.
    """
    match declaration:
        case Mapping():
            arguments = {key for key, value in declaration.items() if value}
            classes = {str(value).rpartition(".")[2] for value in declaration.values()}
            for name in UNSUPPORTED.keys() & (arguments | classes):
                raise OptionError(f"pipeline: {name}: {UNSUPPORTED[name]}")
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


@cache
def _of_file(file: Path) -> Declaration:
    from albumentations import from_dict

    content = read_bytes(file)
    try:
        saved = json.loads(content)
    except ValueError:
        saved = yaml.full_load(content)  # it knows tuples, which `yaml.dump` of to_dict writes
    if not (isinstance(saved, dict) and isinstance(saved.get("transform"), dict)):
        raise OptionError("no pipeline that albumentations.save or to_dict wrote")
    declaration = _declaration(saved["transform"])  # imports the user's classes, which from_dict needs
    _prove(from_dict(saved), declaration)
    return declaration


@cache
def _of_object(path: str) -> Declaration:
    from albumentations.core.serialization import Serializable

    thing = locate(path)
    if isinstance(thing, Serializable):
        declaration = _declaration(thing.to_dict()["transform"])
        _prove(thing, declaration)
        return declaration
    if not callable(thing):
        kind = type(thing).__name__
        raise OptionError(f"of type {kind}; give a pipeline, or a factory that takes a seed")
    return {"library": "callable", CLASS: path.replace(":", ".")}


def _declaration(whole: Declaration) -> Declaration:
    """Return the declaration of what `to_dict` wrote of a Compose, a group or a transform."""
    whole = expanded(whole)
    if whole.get(NAME) != "Compose":
        return {"transforms": [_declared(whole)]}
    return {"transforms": [_declared(part) for part in whole["transforms"]], "p": whole.get("p", 1)}


def _declared(part: Declaration) -> dict[str, Any]:
    """Return a part's declaration without default arguments, which would take time in every task."""
    path = full_path(str(part.get(NAME)))
    defaults = _defaults(locate(path))
    lost = [name for name, default in defaults.items() if default and name not in part]
    if lost and ("transforms" in part or not path.startswith(LIBRARY)):  # its transforms write all
        raise OptionError(
            f"{path} is not whole in what to_dict writes ({', '.join(lost)}); "
            "declare it or a class of yours in conf/pipeline"
        )
    written = {key: value for key, value in part.items() if key not in (NAME, "transforms", *UNSUPPORTED)}
    given = [item for item in _plain(written, path).items() if item not in defaults.items()]
    declared = {CLASS: path} | {key: value for key, value in given if key in defaults}
    if "transforms" in part:
        declared["transforms"] = [_declared(child) for child in part["transforms"]]
    if others := [item for item in given if item[0] not in defaults]:
        # `to_dict` writes some attributes that no argument sets. The rest is for `check` to refuse.
        derived = _plain(construct(declared).to_dict_private(), path)
        declared |= dict(item for item in others if item not in derived.items())
    return declared


def _defaults(kind: Any) -> dict[str, Any]:
    """Return the parameters of a class with their defaults as JSON has them, None if they have none."""
    defaults = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        default = None if parameter.default is parameter.empty else parameter.default
        defaults[name] = list(default) if isinstance(default, tuple) else default
    return defaults


def _plain(value: Any, name: str, **options: Any) -> Any:
    """Return a value as JSON has it. Raises OptionError, which names it."""
    try:  # NumPy's arrays and numbers have `tolist`
        return json.loads(json.dumps(value, default=lambda each: each.tolist()), **options)
    except (AttributeError, TypeError) as error:
        raise OptionError(f"{name} cannot be taken apart: {error_line(error)}") from error


def _prove(original: Any, declaration: Declaration) -> None:
    """Raise OptionError, with a part's name, if what is built of a declaration makes other pixels."""
    from albumentations import Compose

    from augment.seeded_compose import SeededCompose, always, build, parts, reseeded

    listed, p = (original.transforms, original.p) if type(original) is Compose else ([original], 1)
    whole = SeededCompose([deepcopy(part) for part in listed], p=p, seed=0)
    rebuilt = build(declaration, seed=0)
    pairs = [("the pipeline", whole, rebuilt)]
    for pair in [*zip(parts(whole), parts(rebuilt), strict=True)][1:]:
        first, second = (always(SeededCompose([deepcopy(part)], seed=0)) for part in pair)
        pairs.append((pair[0].get_class_fullname(), first, second))
    for name, first, second in reversed(pairs):  # the innermost first
        if differ(name, reseeded(first), reseeded(second), large_size(declaration), n_seeds=8):
            raise OptionError(
                f"{name} makes other pixels if it is rebuilt, because to_dict loses an argument; "
                "declare it in conf/pipeline"
            )


def canonical(pipeline: Declaration) -> Any:
    """Return a declaration that a pipeline shares with its saved and Python form, for its digest.

    It has every argument of every transform, as the library's classes keep it. A user's class may keep an
    argument under another name, so there the declared values count.
    """
    if is_factory(pipeline):
        return pipeline
    parts = [_completed(part) for part in pipeline.get("transforms", ())]
    return _plain({"p": pipeline.get("p", 1), "transforms": parts}, "pipeline", parse_int=float)


def _completed(declared: Declaration) -> dict[str, Any]:
    kind = locate(declared[CLASS])
    complete = _defaults(kind) | dict(declared)
    if kind.__module__.startswith(LIBRARY):
        kept = construct(declared).to_dict_private()
        complete |= {key: value for key, value in kept.items() if key in complete}
    if "transforms" in declared:
        complete["transforms"] = [_completed(part) for part in declared["transforms"]]
    return complete | {CLASS: f"{kind.__module__}.{kind.__qualname__}"}
