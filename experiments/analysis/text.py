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


def with_interval(middle: float, low: float, high: float, form: str = ".2f") -> str:
    """`3.31 (3.18–3.45)`, with a sign in the form `+12.3 (-10.1 to +14.5)`; after one round `3.31 (no
    interval)`; a dash where nothing is known."""
    if math.isnan(middle):
        return DASH
    between = " to " if "+" in form or low < 0 else "–"
    ends = "no interval" if math.isnan(low) else f"{low:{form}}{between}{high:{form}}"
    return f"{middle:{form}} ({ends})"


def percent_interval(middle: float, low: float, high: float, sign: str = "") -> str:
    """`83 % (80–86)` of shares."""
    number, _, ends = with_interval(100 * middle, 100 * low, 100 * high, f"{sign}z.0f").partition(" ")
    return f"{number} % {ends}" if ends else number
