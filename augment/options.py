"""The declaration of an option of a dataclass: one place for its type, default, unit, sentence and effect."""

from dataclasses import field, fields
from enum import Enum
from functools import partial
from math import inf
from typing import Any

REQUIRED = "???"  # OmegaConf's mark of a value that the user has to give


class OptionError(ValueError):
    """An option whose value cannot work: one line with its name and a remedy."""


def option(
    doc: str,
    default: Any = REQUIRED,
    *,
    unit: str = "",
    minimum: float | None = None,
    determines: bool = True,
) -> Any:
    """Declare a field, explained by `doc` and required if it has no default.

    An option that `determines` can change what is measured: trials that differ in it are never pooled.
    """
    metadata = {"doc": doc, "unit": unit, "minimum": minimum, "determines": determines}
    return field(default=default, metadata=metadata)


setting = partial(option, determines=False)  # an option that cannot change what is measured


def determining(options: Any) -> dict[str, Any]:
    """Return the values, by name, of the options that can change what is measured; names for Enums."""
    names = [declared.name for declared in fields(options) if declared.metadata.get("determines")]
    values = {name: getattr(options, name) for name in names}
    return {name: value.name if isinstance(value, Enum) else value for name, value in values.items()}


def check_minimum(options: Any, prefix: str = "") -> None:
    """Raise OptionError for the first option of a dataclass that is less than its minimum."""
    for declared in fields(options):
        minimum, value = declared.metadata.get("minimum"), getattr(options, declared.name)
        if isinstance(value, int) and value >= 1 << 63:
            raise OptionError(f"{prefix}{declared.name}={value}: must be less than 2^63")
        if minimum is not None and value is not None and not minimum <= value < inf:
            finite = "" if value < minimum else ", and finite"
            raise OptionError(f"{prefix}{declared.name}={value}: must be {minimum:g} or more{finite}")
