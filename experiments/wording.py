"""Words for counts, numbers and times, for people."""

import math
from datetime import timedelta
from decimal import Decimal


def pluralise(number: int, noun: str) -> str:
    """Return `1 trial`, `2,000 trials`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def significant(number: float, sign: str = "") -> str:
    """Return a number to three significant digits, like `13.0`, `18,300`; `∞`; `+1.20` with the sign `+`."""
    return f"{Decimal(f'{number:.2e}'):{sign},f}".replace("Infinity", "∞")


def duration(seconds: float) -> str:
    """Return `12.4 s`, `3 min 5 s`, `7 h 16 min`, `2 days 3 h`."""
    if seconds < 59.95:
        return f"{significant(seconds)} s"
    whole = timedelta(seconds=math.ceil(round(seconds, 6)))
    hours, rest = divmod(whole.seconds, 3600)
    if whole.days:
        return f"{pluralise(whole.days, 'day')} {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
