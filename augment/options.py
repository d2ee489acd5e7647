"""How a dataclass declares an option: one place for its type, default, unit, sentence and effect."""

from collections.abc import Iterator
from dataclasses import Field, field, fields
from enum import Enum
from typing import Any

REQUIRED = "???"  # what OmegaConf calls a value that the user has to give


class OptionError(ValueError):
    """An option whose value cannot work: one line that names it and says what would be right."""


def option(
    doc: str,
    default: Any = REQUIRED,
    *,
    unit: str = "",
    minimum: float | None = None,
    determines: bool = True,
) -> Any:
    """A field explained by `doc`, required when it has no default. `determines` says whether its value
    can change what is measured: then it tells cells apart, and trials that differ in it are never pooled."""
    metadata = {"doc": doc, "unit": unit, "minimum": minimum, "determines": determines}
    return field(default=default, metadata=metadata)


def determining_fields(options: Any) -> Iterator[Field[Any]]:
    """The declared options of a dataclass, or of an instance, that can change what is measured."""
    return (declared for declared in fields(options) if declared.metadata.get("determines"))


def determining(options: Any) -> dict[str, Any]:
    """The values, by name, of the options that can change what is measured; of an Enum its name."""
    values = {declared.name: getattr(options, declared.name) for declared in determining_fields(options)}
    return {name: value.name if isinstance(value, Enum) else value for name, value in values.items()}


def check_minimum(options: Any, prefix: str = "") -> None:
    """Raises OptionError for the first option of a dataclass that is less than its declared minimum."""
    for declared in fields(options):
        minimum, value = declared.metadata.get("minimum"), getattr(options, declared.name)
        if minimum is not None and value is not None and value < minimum:
            raise OptionError(f"{prefix}{declared.name}={value}: must be {minimum:g} or more")
