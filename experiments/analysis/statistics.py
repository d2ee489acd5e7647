"""Intervals: of the change between two sets of times, of a mean, and of what is resampled."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from experiments.analysis.text import percent, percent_span

LEVEL = 0.95
PERCENT = (2.5, 97.5)  # the ends of that level among samples
SAMPLES = 1000  # of a bootstrap
# Two runs of the same code differ by more than their repetitions tell: the level of a whole run shifts
# by some per cent (placement in memory, neighbours, heat), and repetitions within a run cannot see it.
# With shifts of 3 % (standard deviation) on both sides, log(1 ± 0.08) keeps false claims below 2 in 100;
# tests/test_compare.py shows it. A true difference below that is not claimed, however often repeated.
FLOOR = 0.08

Array = NDArray[np.float64]


def _interval(test: Any, *values: Any, **options: Any) -> Any:
    """By a test of scipy's, which warns of sets of equal values; their interval, of no width, is right."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return test(*values, **options).confidence_interval(LEVEL)


def change(a_s: ArrayLike, b_s: ArrayLike, drift: float = 0.0) -> tuple[Array, Array, Array]:
    """How the times change from A to B, and its interval from low to high: 0.1 is 10 % longer.

    Of positive times along the last axis, two or more on each side. The ratio of the geometric means,
    with Welch's interval (1947) for the means of the logarithms, wider at both ends by FLOOR and by
    `drift`, the logarithm of the change that the machine itself shows."""
    a, b = np.log(np.asarray(a_s, float)), np.log(np.asarray(b_s, float))
    ends = _interval(stats.ttest_ind, b, a, axis=-1, equal_var=False)
    wider = FLOOR + abs(drift)
    middle = b.mean(axis=-1) - a.mean(axis=-1)
    return np.expm1(middle), np.expm1(ends.low - wider), np.expm1(ends.high + wider)


def in_words(middle: float, low: float, high: float) -> str:
    """A change of the time and its interval (shares of A's time) in words."""
    if low <= 0 <= high:
        return f"no difference ({percent_span(low, high, '+')})"
    word, ends = ("slower", (low, high)) if middle > 0 else ("faster", (-high, -low))
    return f"B is {word} by {percent(abs(middle))} ({percent_span(*ends)})"


def mean_interval(values: ArrayLike) -> tuple[float, float, float]:
    """The mean of what is known of the values, and its interval by Student's t; NaN where too few are."""
    numbers = np.asarray(values, float)
    known = numbers[~np.isnan(numbers)]
    if len(known) < 2:
        return float(known[0]) if len(known) else np.nan, np.nan, np.nan
    ends = _interval(stats.ttest_1samp, known, 0)
    return float(known.mean()), float(ends.low), float(ends.high)


def resampled(random: np.random.Generator, values: Any) -> Array:
    """Means of `values` (first axis: repetitions) drawn with replacement, SAMPLES times."""
    numbers = np.asarray(values, float)
    means: Array = numbers[random.integers(len(numbers), size=(SAMPLES, len(numbers)))].mean(axis=1)
    return means


def ratio_of_means(values: Array, base: Array) -> tuple[float, float, float]:
    """Of repetitions on both sides, with its interval from resampling them; an interval of NaN where a
    side has one repetition only."""
    middle = values.mean() / base.mean()
    if min(len(base), len(values)) < 2:
        return float(middle), np.nan, np.nan
    random = np.random.default_rng(0)
    low, high = np.percentile(resampled(random, values) / resampled(random, base), PERCENT)
    return float(middle), float(low), float(high)
