"""Numbers, names and notes as tables and sentences write them."""

import math
from collections.abc import Iterable, Mapping

import pandas as pd

from augment.strategies import STRATEGIES
from experiments.analysis.select import LeftOut, ok_trials
from experiments.analysis.statistics import steady
from experiments.wording import pluralise, significant

DASH = "-"


def label(strategy: str) -> str:
    """Return the label of a strategy, or its name if this version does not know it."""
    kind = STRATEGIES.get(strategy)
    return (kind and kind.label) or strategy


def left_out_note(left_out: LeftOut) -> str:
    """Return why trials are not in a table, like `left out: 12 trials of another kernel`."""
    names = [name.removesuffix("_digest") for name in left_out.columns]
    others = ", ".join(f"{'other' if name.endswith('s') else 'another'} {name}" for name in names)
    return f"left out: {pluralise(left_out.trials, 'trial')} of {others}"


def span(numbers: Iterable[float], noun: str) -> str:
    """Return `2 to 3 rounds`, or `2 rounds` if all are equal."""
    least, most = int(min(numbers)), int(max(numbers))
    return f"{least:,} to " * (least < most) + pluralise(most, noun)


def caption(trials: pd.DataFrame) -> str:
    """Return what a chart rests on: `3 rounds of 80 augmented images each, 64x48, m1, commit 6ec0a13`."""
    ok = ok_trials(trials)
    if ok.empty:
        return "no trial was measured"
    rounds = ok[["cell", "sweep", "round"]].drop_duplicates().groupby("cell").size()
    commits = ok["git_commit"].dropna().str.replace(r"^(\w{7})\w*", r"commit \1", regex=True)
    sizes = ok[["width", "height"]].drop_duplicates()  # null for images of several sizes
    size = ["{:.0f}x{:.0f}".format(*sizes.iloc[0])] if len(sizes) == 1 and len(sizes.dropna()) else []
    work = f"{span(rounds, 'round')} of {span(ok['tasks'], 'augmented image')}" + " each" * (len(ok) > 1)
    return ", ".join([work, *size, *ok["machine"].unique(), *commits.unique()])


def written(number: float, sign: str = "") -> str:
    """Return a number, rounded to `steady` first, to three significant digits; NaN as a dash."""
    return DASH if math.isnan(number) else significant(steady(number), sign)


def percent(share: float, digits: int = 0) -> str:
    """Return 0.12 as `12 %`, and NaN as a dash."""
    return DASH if math.isnan(share) else f"{steady(100 * share):z.{digits}f} %"


def shares(parts: Mapping[str, float]) -> str:
    """Return `start-up 3 %, load imbalance 2 %`, without those of 0 %."""
    return ", ".join(f"{name} {percent(each)}" for name, each in parts.items() if percent(each) != percent(0))


def with_interval(middle: float, low: float, high: float, sign: str = "") -> str:
    """Return `3.31 (3.18–3.45)`, `+12.3 (-10.1 to +14.5)` with a sign, and `3.31` or a dash alone."""
    if math.isnan(low):
        return written(middle, sign)
    between = " to " if sign or steady(low) < 0 else "–"
    return f"{written(middle, sign)} ({written(low, sign)}{between}{written(high, sign)})"


def percent_interval(middle: float, low: float, high: float, sign: str = "") -> str:
    """Return shares as `83.1 % (80.2–86.0)`."""
    number, _, ends = with_interval(100 * middle, 100 * low, 100 * high, sign).partition(" ")
    return number if number == DASH else f"{number} % {ends}".rstrip()
