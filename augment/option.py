"""How a dataclass declares a knob: its default, and the sentence that explains it to people."""

from dataclasses import field
from typing import Any

REQUIRED = "???"  # what OmegaConf calls a value that the user has to give


class KnobError(ValueError):
    """A knob whose value cannot work: one line that names it and says what would be right."""


def knob(doc: str, default: Any = REQUIRED) -> Any:
    """A field explained by `doc`, with its unit where it has one; required when it has no default."""
    return field(default=default, metadata={"doc": doc})
