"""How tables and sentences write numbers and names."""

import math

from augment.strategies import STRATEGIES
from experiments.analysis.statistics import steady

DASH = "-"


def label(strategy: str) -> str:
    """What people call a strategy; its own name where no strategy of today has it."""
    kind = STRATEGIES.get(strategy)
    return kind.label if kind else strategy


def with_or_without(saving: bool) -> str:
    """The saving flag in titles and notes."""
    return "saving" if saving else "no saving"


def pluralise(number: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def written(number: float, form: str) -> str:
    """Return a number in a format, rounded to `steady` first, so that 37.5 is 38 on every processor."""
    return f"{steady(number):{form}}"


def percent(share: float, digits: int = 0) -> str:
    """`12 %` of 0.12; a dash for NaN."""
    return DASH if math.isnan(share) else f"{written(100 * share, f'z.{digits}f')} %"


def with_interval(middle: float, low: float, high: float, form: str = ".2f") -> str:
    """`3.31 (3.18–3.45)`, with a sign in the form `+12.3 (-10.1 to +14.5)`; after one round `3.31 (no
    interval)`; a dash where nothing is known."""
    if math.isnan(middle):
        return DASH
    between = " to " if "+" in form or steady(low) < 0 else "–"
    ends = "no interval" if math.isnan(low) else f"{written(low, form)}{between}{written(high, form)}"
    return f"{written(middle, form)} ({ends})"


def percent_interval(middle: float, low: float, high: float, sign: str = "") -> str:
    """`83 % (80–86)` of shares."""
    number, _, ends = with_interval(100 * middle, 100 * low, 100 * high, f"{sign}z.0f").partition(" ")
    return f"{number} % {ends}" if ends else number
