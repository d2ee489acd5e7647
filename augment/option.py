"""How a dataclass declares an option: its default, and the sentence that explains it to people."""

from dataclasses import field
from typing import Any

REQUIRED = "???"  # what OmegaConf calls a value that the user has to give


class OptionError(ValueError):
    """An option whose value cannot work: one line that names it and says what would be right."""


def option(doc: str, default: Any = REQUIRED) -> Any:
    """A field explained by `doc`, with its unit where it has one; required when it has no default."""
    return field(default=default, metadata={"doc": doc})
