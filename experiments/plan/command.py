"""The command that measures a cell again."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from augment.option import REQUIRED, determining_fields
from experiments import ROOT
from experiments.plan.cell import Cell
from experiments.plan.options import UNTOUCHED, Config

ALWAYS = ("workers", "saving", "image_size", "n_images", "n_augmentations")  # protocols set some of these
ALSO = ("sample", "on_bad_image", "scratch_dir")  # determine nothing themselves, but which files are used
# What Hydra reads as it stands: of its own letters, and what it takes for no number, null or flag.
PLAIN = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z/][\w/.:+%@-]*|\d+x\d+", re.ASCII | re.IGNORECASE)


def command(cell: Cell, **changes: Any) -> str:
    """One line for a shell that measures this cell; `changes` are options with another value than the cell
    has. Folders outside its options (results_dir, output_dir) are as they are by default."""
    words = (f"{name}={text(value)}" for name, value in (_options(cell) | changes).items())
    own = [word for folder in _own_folders() for word in ("--config-dir", folder)]
    return shlex.join(["python", "run.py", *own, *words])


def _own_folders() -> list[str]:
    """The user's own folders of configuration."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    return [str(each.path) for each in sources if each.provider == "command-line"]


def _options(cell: Cell) -> dict[str, Any]:
    """What a plain command would set otherwise, by the name on the command line."""
    config, choices = cell.config, {"strategy": cell.strategy, "dataset": cell.dataset}
    choices |= {"pipeline": cell.pipeline, "runtime": cell.runtime, "ablation": cell.ablation}
    defaults = {"dataset": "synthetic", "pipeline": "study", "runtime": "study", "ablation": UNTOUCHED}
    options = {name: choice for name, choice in choices.items() if choice != defaults.get(name)}
    options |= _changed("dataset", config.dataset, _file("dataset", cell.dataset))
    options |= _changed("strategy", config.strategy, {})
    options |= _changed("runtime", config.runtime, _file("runtime", cell.runtime))
    pipeline = _file("pipeline", cell.pipeline)
    options |= {f"pipeline.{key}": each for key, each in config.pipeline.items() if each != pipeline.get(key)}
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
        if "doc" in declared.metadata and (before == REQUIRED or text(value) != text(before)):
            yield f"{group}.{declared.name}", value


def _file(group: str, name: str) -> dict[str, Any]:
    """What the file of a choice sets."""
    folders = [*map(Path, _own_folders()), ROOT / "conf"]
    path = next((path for each in folders if (path := each / group / f"{name}.yaml").exists()), None)
    content = OmegaConf.to_container(OmegaConf.load(path)) if path else {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def text(value: Any) -> str:
    """A value as Hydra's command line takes it."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case Enum():
            return value.name
        case Mapping():
            return "{" + ",".join(f"{key}:{text(each)}" for key, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(text, value)) + "]"
        case str() if not PLAIN.fullmatch(value):
            return (
                '"' + re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + end[2].replace('"', '\\"'), value) + '"'
            )
    return str(value)
