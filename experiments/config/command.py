"""The words of a command line, and values as Hydra reads them."""

import re
import shlex
from collections.abc import Iterable
from enum import Enum
from typing import Any

# Text that Hydra reads without quotes: of its own letters, and no number, null or boolean.
PLAIN = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z/][\w/.:+%@-]*|\d+x\d+", re.ASCII | re.IGNORECASE)


def command(words: Iterable[str]) -> str:
    """Return the shell command that runs `run.py` with these words."""
    return shlex.join(["python", "run.py", *words])


def replaced(words: Iterable[str], **options: Any) -> list[str]:
    """Return the words with these options added or replaced."""
    kept = [word for word in words if word.partition("=")[0].lstrip("+") not in options]
    return [*kept, *(f"{name}={text(value)}" for name, value in options.items())]


def text(value: Any) -> str:
    """Return a value as Hydra's command line reads it."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case Enum():
            return value.name
        case str() if not PLAIN.fullmatch(value):
            escaped = re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + end[2].replace('"', '\\"'), value)
            return f'"{escaped}"'
    return str(value)
