"""The command line's help page, derived from the options, and its errors, one line each."""

import difflib
import gc
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from enum import Enum
from functools import cache
from itertools import groupby
from types import FrameType, NoneType
from typing import Any, get_args, get_type_hints

import hydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from augment.images import error_line
from augment.options import REQUIRED, OptionError
from augment.runtime import Runtime
from experiments import COMMAND, DATA, ROOT
from experiments.config.cell import CellFailedError
from experiments.config.cell import text as as_text
from experiments.config.options import GROUPS, Advise, Config, register
from experiments.store import StoreError

CELL_FAILED, USAGE_ERROR = 1, 2
TYPES = {int: "an integer", float: "a number", str: "text", bool: "true or false", NoneType: "null"}
DECLARED: list[tuple[str, str, Any]] = [  # heading, prefix on the command line, dataclass
    ("Options (option=value) with defaults, or those of the default protocol (quick)", "", Config),
    *(
        (f"Options of {group}={name}", f"{group}.", kind)
        for group, kinds in GROUPS.items()
        for name, kind in kinds.items()
    ),
    ("Options of runtime", "runtime.", Runtime),
    ("Options of experiment=advise", "advise.", Advise),
]
HEADER = f"""\
How far does image augmentation scale on this machine, with which strategy, and what stops it?

  {COMMAND} strategy=p2 workers=4 image_size=2000x1000 saving=true repetitions=2
  {COMMAND} -m workers=1,2,4,8 strategy=p1,p2,pq          one cell for each combination
  {COMMAND} -m experiment=strong_scaling protocol=paper   a sweep by name"""
FOOTER = f'--cfg job prints the composed cell; eval "$({COMMAND} -sc install=bash)" completes with Tab.'


def run(measure: Callable[[Any], float]) -> None:
    """Run the command with Hydra; exit with 2 for a wrong command, 1 for a failed cell."""
    if {"-h", "--help"} & {*sys.argv}:  # Hydra would list its own groups first, for half a second
        print(help_page(), end="")
        return
    gc.set_threshold(50_000)  # saves 0.1 s: imports leave little to collect
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra passes its exceptions on to plain_errors()
    sys.path.append(os.getcwd())  # a pipeline may name a user's class
    folders = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, folders)))  # for a launcher's jobs
    register()
    main = hydra.main(version_base="1.3", config_path=str(DATA / "conf"), config_name="config")
    with interruptions(), plain_errors():
        main(measure)()
    gc.freeze()  # saves 0.1 s: the interpreter collects nothing when it ends


def help_page() -> str:
    """Return the help page: every choice and option, from the files in conf/ and the declarations."""
    files = sorted((DATA / "conf").glob("*/*.yaml"))
    groups = groupby(files, key=lambda file: file.parent.name)
    choices = [f"  {group:12} {', '.join(file.stem for file in members)}" for group, members in groups]
    sections = [[HEADER], ["Choices (group=choice)", *choices]]
    sections += [[heading, *lines] for heading, *kind in DECLARED if (lines := list(_option_lines(*kind)))]
    return "\n\n".join("\n".join(lines) for lines in [*sections, [FOOTER]]) + "\n"


def _option_lines(prefix: str, kind: Any) -> Iterator[str]:
    """Yield a line for each option of a dataclass: default, meaning and allowed values."""
    for declared in fields(kind):
        if "doc" in declared.metadata:
            name, default, unit = prefix + declared.name, declared.default, declared.metadata["unit"]
            shown = "null" if default is None else "…" if default == REQUIRED else str(default).lower()
            minimum = declared.metadata["minimum"]
            bound = "" if minimum is None else f"{minimum:g} or more"
            allowed = ", ".join(filter(None, [values(option_types()[name]), unit, bound]))
            yield f"  {f'{name}={shown}':32} {declared.metadata['doc']} ({allowed})"


@cache
def option_types() -> dict[str, Any]:
    """Return the type of every option by its name on the command line, like `strategy.savers`."""
    kinds = [(prefix, get_type_hints(kind), fields(kind)) for _, prefix, kind in DECLARED]
    return {prefix + each.name: hints[each.name] for prefix, hints, declared in kinds for each in declared}


def values(hint: Any) -> str:
    """Return the allowed values of a type: `an integer or null`, `one of fork, spawn, forkserver`."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one of {', '.join(member.name for member in hint)}"
    return " or ".join(TYPES.get(kind, "a choice") for kind in get_args(hint) or (hint,))


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print an error as one line and exit: with 2 for a wrong command or folder, with 1 for a failed cell."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError, OptionError, StoreError) as error:
        is_plain = isinstance(error, OptionError | StoreError)
        print(f"error: {error if is_plain else explain(error)}", file=sys.stderr)
        raise SystemExit(USAGE_ERROR) from error
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError):
            raise
        print(f"error: {error_line(error)}", file=sys.stderr)
        raise SystemExit(USAGE_ERROR) from error
    except CellFailedError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise SystemExit(CELL_FAILED) from error


def explain(error: Exception) -> str:
    """Return a plain line for an error of Hydra or OmegaConf, which takes several."""
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    text = f"{error}\n{error.__cause__ or ''}"
    if match := re.search(r"OptionError raised while resolving interpolation: (.*)", text):
        return match[1]
    if match := re.search(r"Could not find '([\w/]+)/([^/']*)'", text):
        names = re.findall(r"^\t(?!base_)(\S+)", text, re.MULTILINE)
        advice = f"choose one of {', '.join(names)}" if names else "--help lists the choices"
        return f"{match[1]}={match[2]}: no such {match[1]}; {advice}"
    if match := re.search(r"In '((\w+)/[^']+)': .*\nKey '([^']+)' not in", text):
        bases = ", ".join(f"base_{name}" for name in GROUPS.get(match[2], {}))
        advice = f"give `defaults: [BASE]`, BASE one of {bases}" if bases else "--help lists them"
        if match[3] == match[2]:
            advice = "begin the file with `# @package _global_`"
        elif match[2] == "ablation":
            advice = f"what was chosen lacks it; leave {match[1].partition('/')[2]} out of ablation=…"
        return f"{match[1]}.yaml: {match[3]}: no such option; {advice}"
    if match := re.search(r"Could not override '([^']+)'|Key '([^']+)' (?:is )?not in", text):
        return _unknown(match[1] or match[2])
    if match := re.search(r"[Mm]issing mandatory value: .*\n\s*full_key: (\S+)", text):
        return f"{match[1]}: required; give {match[1]}=…"
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)'", text):
        advice = f"; one value needs quotes: {quoted(match[1])}" if _takes_text(match[1]) else ""
        return f"{match[1]}: several values are a sweep; give -m{advice}"
    if (match := re.search(r"Error merging override (([^\s=]+)=.*)", text)) and match[2] in option_types():
        advice = f"; give {quoted(match[1])}" if _takes_text(match[1]) else ""
        return f"{match[1]}: must be {values(option_types()[match[2]])}{advice}"
    if match := re.search(r"(.*)\n\s*full_key: (\S+)", text):
        return f"{match[2]}: {match[1].strip()}"
    return " ".join(text.split())


def _unreadable(word: str) -> str:
    """Return the error of a word of the command line that Hydra's grammar refuses."""
    name, equals, _ = word.partition("=")
    if not equals:
        return f"{word}: must be option=value; --help lists the options"
    if not re.fullmatch(r"\+{0,2}[\w./@:-]+", name, re.ASCII):
        return _unknown(name)
    if name in option_types() and not _takes_text(word):
        return f"{word}: must be {values(option_types()[name])}"
    return f"{word}: Hydra needs quotes here; give {quoted(word)}"


def quoted(word: str) -> str:
    """Return a word of the command line as the shell has to be given it, with its value as plain text."""
    name, _, value = word.partition("=")
    return shlex.quote(f"{name}={as_text(value)}")


def _takes_text(word: str) -> bool:
    kind = option_types().get(word.partition("=")[0])
    return str in (kind, *get_args(kind))


def _unknown(name: str) -> str:
    """Return the error of a name that is no option, or none of the chosen strategy or dataset."""
    known = [*option_types(), "protocol", "ablation", "experiment"]
    if name in known:
        return f"{name}: not an option of the chosen {name.split('.')[0]}; --help lists its options"
    close = difflib.get_close_matches(name, known, n=1)
    return f"{name}: no such option; " + (f"did you mean {close[0]}?" if close else "--help lists them")


@contextmanager
def interruptions() -> Iterator[None]:
    """End the trial and the program on Ctrl-C and SIGTERM, with the status that shells expect."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        begin_anew = "Run the same command again to resume; advise and rerun=true begin anew."
        print(f"Interrupted. {begin_anew}", file=sys.stderr)
        raise SystemExit(128 + (*interrupt.args, signal.SIGINT)[0]) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
