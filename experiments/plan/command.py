"""The command that measures a cell again."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from omegaconf import OmegaConf

from augment.option import REQUIRED, determining_fields
from experiments import ROOT
from experiments.plan.cell import Cell
from experiments.plan.options import UNTOUCHED, Config

ALWAYS = ("workers", "saving", "image_size", "n_images", "n_augmentations")  # protocols set some of these
ALSO = ("sample", "on_bad_image", "scratch_dir")  # determine nothing themselves, but which files are used
PLAIN = re.compile(r"[\w/.:+%@?|*-]*[A-Za-z/_.][\w/.:+%@?|*-]*")  # text that Hydra reads as it stands


def command(cell: Cell, **changes: Any) -> str:
    """One line for a shell that measures this cell; `changes` are options with another value than the cell
    has. Folders outside its options (results_dir, output_dir) are as they are by default."""
    words = (f"{name}={_text(value)}" for name, value in (_options(cell) | changes).items())
    return shlex.join(["python", "run.py", *words])


def _options(cell: Cell) -> dict[str, Any]:
    """What a plain command would set otherwise, by the name on the command line."""
    config, choices = cell.config, {"strategy": cell.strategy, "dataset": cell.dataset}
    choices |= {"pipeline": cell.pipeline, "runtime": cell.runtime, "ablation": cell.ablation}
    defaults = {"dataset": "synthetic", "pipeline": "study", "runtime": "study", "ablation": UNTOUCHED}
    options = {name: choice for name, choice in choices.items() if choice != defaults.get(name)}
    options |= _changed("dataset", config.dataset, _file("dataset", cell.dataset))
    options |= _changed("strategy", config.strategy, {})
    options |= _changed("runtime", config.runtime, _file("runtime", cell.runtime))
    kept = {declared.name: declared.default for declared in fields(Config) if declared.name in ALSO}
    kept |= {declared.name: declared.default for declared in determining_fields(Config)}
    skipped = {"image_size", "n_images"} if config.dataset.own_size else set()
    for name in dict.fromkeys((*ALWAYS, *kept)):
        value = getattr(config, name)
        if name in skipped and value is None:
            continue
        if name in ALWAYS or value != kept[name]:
            options[name] = value
    return options


def _changed(group: str, options: Any, chosen: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options of a group that are not as their declaration and the chosen file say."""
    for declared in fields(options):
        value = getattr(options, declared.name)
        before = chosen.get(declared.name, declared.default)
        if "doc" in declared.metadata and (before == REQUIRED or _text(value) != _text(before)):
            yield f"{group}.{declared.name}", value


def _file(group: str, name: str) -> dict[str, Any]:
    """What a file of this suite's conf/ sets; nothing where a choice is the user's own."""
    path = ROOT / "conf" / group / f"{name}.yaml"
    content = OmegaConf.to_container(OmegaConf.load(path)) if path.exists() else {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def _text(value: Any) -> str:
    """A value as Hydra's command line takes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = value.name if isinstance(value, Enum) else str(value)
    if not isinstance(value, str) or isinstance(value, Enum) or PLAIN.fullmatch(text):
        return text
    return '"' + re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + end[2].replace('"', '\\"'), text) + '"'
