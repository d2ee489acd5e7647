"""How the command line speaks to people: a help page derived from the options, errors on one line."""

import atexit
import difflib
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from augment.datasets import DATASETS
from augment.option import REQUIRED, OptionError
from augment.runtime import Runtime
from augment.strategies import STRATEGIES
from experiments.measure.scratch import scratch
from experiments.plan.options import Config, register
from experiments.records.store import StoreError

USAGE_ERROR = 2

HEADER = """\
How far does image augmentation scale on this machine, with which strategy, and what stops it?

  python run.py strategy=p2 workers=4 image_size=2000x1000 saving=true repetitions=2
  python run.py -m workers=1,2,4,8 strategy=p1,p2,pq          one cell for each combination
  python run.py -m experiment=strong_scaling protocol=paper   a sweep by name
"""


def prepare() -> None:
    """Registers everything that Hydra needs to know of this program. Call before `hydra.main`."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # its exceptions come to plain_errors() unprinted
    sys.path.append(os.getcwd())  # a pipeline may name a class of the user's own
    register()
    OmegaConf.register_new_resolver("leftovers", _leftovers, use_cache=True, replace=True)
    page = {"app_name": "augment", "header": HEADER, "footer": "", "template": _help_page()}
    ConfigStore.instance().store(group="hydra/help", name="options", node=page)


def _leftovers() -> str:
    """Where Hydra puts the multirun.yaml that it insists on writing: gone when the program ends."""
    folder = ExitStack()
    atexit.register(folder.close)
    return str(folder.enter_context(scratch(Path(tempfile.gettempdir()))))


def _help_page() -> str:
    sections = [
        HEADER,
        "Choices\n$APP_CONFIG_GROUPS",
        "Options (option=value), with their defaults",
        _options("", Config),
    ]
    sections += [
        f"Of strategy={name}\n{options}"
        for name, kind in STRATEGIES.items()
        if (options := _options("strategy.", kind))
    ]
    sections += [
        f"Of dataset={name}\n{options}"
        for name, kind in DATASETS.items()
        if (options := _options("dataset.", kind))
    ]
    sections += ["Of runtime\n" + _options("runtime.", Runtime)]
    sections += [
        '--cfg job prints the composed cell; eval "$$(python run.py -sc install=bash)" completes with Tab.'
    ]
    return "\n\n".join(sections) + "\n"


def _options(prefix: str, kind: Any) -> str:
    """A line for each option of a dataclass that is a plain value."""
    lines = []
    for declared in fields(kind):
        default = declared.default
        if not isinstance(default, bool | int | float | str | None) or declared.type is Any:
            continue
        shown = "required" if default == REQUIRED else "null" if default is None else str(default).lower()
        lines.append(f"  {prefix + declared.name:24} {shown:12} {declared.metadata['doc']}")
    return "\n".join(lines)


def option_names() -> list[str]:
    """Every option that a command line can name, groups and dotted names included."""
    names = [declared.name for declared in fields(Config)] + ["protocol", "experiment"]
    for prefix, kinds in (
        ("strategy", STRATEGIES.values()),
        ("dataset", DATASETS.values()),
        ("runtime", [Runtime]),
    ):
        names += [f"{prefix}.{part.name}" for kind in kinds if is_dataclass(kind) for part in fields(kind)]
    return names


@contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the program with one line and status 2 when the command line is at fault, or a folder it names."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise SystemExit(_fail(explain(error))) from error
    except (OptionError, StoreError) as error:
        raise SystemExit(_fail(str(error))) from error


@contextmanager
def interruptions() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the trial under way and then the program, with the status that shells
    expect and a word on how to go on."""
    received = [signal.SIGINT]

    def stop(number: int, frame: FrameType | None) -> None:
        received[:] = [signal.Signals(number)]
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        raise SystemExit(128 + received[0]) from None


def _fail(line: str) -> int:
    print(f"error: {line}", file=sys.stderr)
    return USAGE_ERROR


def explain(error: Exception) -> str:
    """One line for people from what Hydra or OmegaConf say in several."""
    text = f"{error}\n{error.__cause__ or ''}"
    if match := re.search(r"OptionError raised while resolving interpolation: (.*)", text):
        return match[1]
    if match := re.search(r"Could not find '([\w/]+)/([^/']*)'", text):
        options = re.search(r"Available options in '[^']+':\n((?:\t.*\n?)*)", text)
        choices = (
            f"choose one of {', '.join(options[1].split())}" if options else "--help lists what there is"
        )
        return f"{match[1]}={match[2]}: no such {match[1]}; {choices}"
    if match := re.search(r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in", text):
        return _unknown(match[1] or match[2])
    if match := re.search(r"missing mandatory value: .*\n\s*full_key: (\S+)", text):
        return f"{match[1]}: required; give {match[1]}=…"
    if match := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{match[1]}: several values are a sweep, which needs -m"
    if match := re.search(r"(.*)\n\s*full_key: (\S+)", text):
        return f"{match[2]}: {match[1].strip()}"
    return " ".join(text.split())


def _unknown(name: str) -> str:
    known = option_names()
    if name in known:
        return f"{name}: not an option of the {name.split('.')[0]} that is chosen"
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name}: no such option; " + (f"did you mean {close[0]}?" if close else "--help lists them")
