"""Pipelines that people have: files that albumentations saved, and objects in modules.

They are taken apart into declarations. What is built of these is compared with what they were.
"""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from augment.declaration import (
    CLASS,
    LIBRARY,
    TARGETS,
    PipelineError,
    construct,
    expanded,
    full_path,
    is_factory,
    locate,
    refuse_all_but_images,
)
from augment.filesystem import location, read_bytes
from augment.images import error_line
from augment.pipeline import differ, safe_side

Declaration = Mapping[str, Any]
NAME = "__class_fullname__"  # albumentations' key of a class
MAIN = "lives in __main__, which other processes cannot import; move it to a module"


def resolved(pipeline: Declaration) -> Declaration:
    """Return the declaration of transforms or a factory that a pipeline means. Raises PipelineError."""
    if (library := pipeline.get("library")) not in READERS:
        return pipeline if is_factory(pipeline) else dict(expanded(pipeline))
    option, read = READERS[library]
    if unread := pipeline.keys() - {"library", option}:
        raise PipelineError(f"pipeline.{min(unread)}: nothing reads it; pipeline={library} has only {option}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `check` has its say about arguments
            return read(str(pipeline.get(option)))
    except Exception as error:  # a user's module may raise anything
        reason = error_line(error).removeprefix("pipeline: ")
        raise PipelineError(f"pipeline.{option}={pipeline.get(option)}: {reason}") from error


@cache
def _of_file(file: Path) -> Declaration:
    from albumentations import from_dict

    content = read_bytes(file)
    try:
        saved = json.loads(content)
    except ValueError:
        saved = yaml.full_load(content)  # it knows tuples, which `yaml.dump` of to_dict writes
    whole = saved.get("transform") if isinstance(saved, dict) else None
    if not isinstance(whole, dict):
        raise PipelineError("no pipeline that albumentations.save or to_dict wrote")
    declaration = _declaration(whole)  # imports the user's classes, which from_dict needs
    _prove(from_dict(saved), declaration)
    return declaration


@cache
def _of_object(path: str) -> Declaration:
    from albumentations import BasicTransform
    from albumentations.core.composition import BaseCompose

    if path.startswith("__main__"):
        raise PipelineError(MAIN)
    thing = locate(path)
    if isinstance(thing, BasicTransform | BaseCompose):
        declaration = _declaration(thing.to_dict()["transform"])
        _prove(thing, declaration)
        return declaration
    if not callable(thing):
        raise PipelineError(
            f"of type {type(thing).__name__}; give a pipeline, or a factory that takes a seed"
        )
    return {"library": "callable", CLASS: path.replace(":", ".")}


def _declaration(whole: Declaration) -> Declaration:
    """Return the declaration of what `to_dict` wrote of a Compose, a group or a transform."""
    refuse_all_but_images(whole)
    if whole.get(NAME) != "Compose":
        return {"transforms": [_declared(whole)]}
    return {"transforms": [_declared(part) for part in whole["transforms"]], "p": whole.get("p", 1)}


def _declared(part: Declaration) -> dict[str, Any]:
    """Return the declaration of a part, without attributes that `to_dict` writes but no argument sets."""
    path = full_path(str(part.get(NAME)))
    if path.startswith("__main__"):
        raise PipelineError(f"{path} {MAIN}")
    kind = locate(path)
    parameters = inspect.signature(kind).parameters
    arguments = {key: value for key, value in part.items() if key not in (NAME, "transforms", *TARGETS)}
    # An argument that has its default is left out: more of them take longer in every task.
    given: dict[str, Any] = {CLASS: path} | {
        key: value
        for key, value in _plain(arguments, path).items()
        if key not in parameters or value != _default(parameters[key])
    }
    if "transforms" in part:
        given["transforms"] = [_declared(child) for child in part["transforms"]]
    # The library's transforms write all. A group, or a user's class with other attributes, may not.
    is_trusted = path.startswith(LIBRARY) and "transforms" not in part
    lost = [
        name for name, each in parameters.items() if _default(each) and name not in part and not is_trusted
    ]
    if lost or not kind.is_serializable():
        raise PipelineError(
            f"{path} is not whole in what to_dict writes ({', '.join(lost) or 'functions'}); "
            "declare it or a class of yours in conf/pipeline"
        )
    if others := given.keys() - {CLASS, *parameters}:
        accepted = {key: value for key, value in given.items() if key not in others}
        derived = _plain(construct(accepted).to_dict_private(), path)
        given = accepted | {key: given[key] for key in others if derived.get(key) != given[key]}
    return given


def _default(parameter: inspect.Parameter) -> Any:
    """Return the default of a parameter, None if it has none, as JSON has it."""
    default = None if parameter.default is parameter.empty else parameter.default
    return list(default) if isinstance(default, tuple) else default


def _plain(value: Any, name: str, **options: Any) -> Any:
    """Return a value as JSON has it. Raises PipelineError, which names it."""
    try:  # NumPy's arrays and numbers have `tolist`
        return json.loads(json.dumps(value, default=lambda each: each.tolist()), **options)
    except (AttributeError, TypeError) as error:
        raise PipelineError(f"{name} cannot be taken apart: {error_line(error)}") from error


def _prove(original: Any, declaration: Declaration) -> None:
    """Raise PipelineError, with a part's name, if what is built of a declaration makes other pixels."""
    from albumentations import Compose

    from augment.seeded_compose import SeededCompose, always, build, parts_of, reseeded

    parts, p = (original.transforms, original.p) if type(original) is Compose else ([original], 1)
    whole, rebuilt = SeededCompose(deepcopy([*parts]), p=p, seed=0), build(declaration, seed=0)
    pairs = [
        [always(SeededCompose([deepcopy(part)], seed=0)) for part in pair]
        for pair in zip(parts_of(whole), parts_of(rebuilt), strict=True)
    ]
    side = safe_side(_plain(whole.to_dict(), "the pipeline"))  # with the defaults
    for first, second in [*pairs, (whole, rebuilt)]:
        name = "the pipeline" if first is whole else first.transforms[0].get_class_fullname()
        if differ(name, reseeded(first), reseeded(second), (side, side), n_seeds=8):
            raise PipelineError(
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
    parameters = inspect.signature(kind).parameters
    complete = {name: _default(each) for name, each in parameters.items()} | dict(declared)
    if kind.__module__.startswith(LIBRARY):
        kept = construct(declared).to_dict_private()
        complete |= {key: value for key, value in kept.items() if key in parameters}
    if "transforms" in declared:
        complete["transforms"] = [_completed(part) for part in declared["transforms"]]
    return complete | {CLASS: f"{kind.__module__}.{kind.__qualname__}"}


READERS: dict[Any, tuple[str, Callable[[str], Declaration]]] = {  # with the option that each reads
    "saved": ("path", lambda path: _of_file(location(path))),
    "python": ("object", _of_object),
}
