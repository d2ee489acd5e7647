"""Words for counts and times, for people."""

import math
from datetime import timedelta

import numpy as np


def pluralise(number: int, noun: str) -> str:
    """Return `1 trial`, `2,000 trials`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def significant(number: float) -> str:
    """Return three significant digits without an exponent, zeros kept: `8.00`, `13.0`, `18300`."""
    return np.format_float_positional(number, 3, unique=False, fractional=False, trim="k").rstrip(".")


def duration(seconds: float) -> str:
    """Return `12.4 s`, `3 min 5 s`, `7 h 16 min`, `2 days 3 h`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = timedelta(seconds=math.ceil(round(seconds, 6)))
    hours, rest = divmod(whole.seconds, 3600)
    if whole.days:
        return f"{pluralise(whole.days, 'day')} {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
