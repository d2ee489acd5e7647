"""How tables and sentences write numbers and names."""

import math

from augment.strategies import STRATEGIES

DASH = "-"


def label(strategy: str) -> str:
    """What people call a strategy; its own name where no strategy of today has it."""
    kind = STRATEGIES.get(strategy)
    return kind.label if kind else strategy


def with_or_without(saving: bool) -> str:
    """The saving flag in titles and notes."""
    return "saving" if saving else "no saving"


def counted(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def percent(share: float, digits: int = 0) -> str:
    """`12 %` of 0.12; a dash for NaN."""
    return DASH if math.isnan(share) else f"{100 * share:z.{digits}f} %"


def percent_span(low: float, high: float, sign: str = "") -> str:
    """`8 to 16 %`; with `sign="+"` `-3 to +4 %`."""
    return f"{100 * low:{sign}z.0f} to {100 * high:{sign}z.0f} %"


def number(value: float, form: str) -> str:
    """The value in a format; a dash for NaN."""
    return DASH if math.isnan(value) else f"{value:{form}}"


def with_interval(middle: float, low: float, high: float, form: str) -> str:
    """`+12.3 (+10.1 to +14.5)`; dashes for what is NaN."""
    ends = DASH if math.isnan(low) else f"{low:{form}} to {high:{form}}"
    return DASH if math.isnan(middle) else f"{middle:{form}} ({ends})"
