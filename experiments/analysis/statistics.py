"""Whether two sets of times differ: the interval of their ratio, and what to say of it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
# Two runs of the same code differ by more than their repetitions tell: the level of a whole run shifts
# by some per cent (placement in memory, neighbours, heat), and repetitions within a run cannot see it.
# With shifts of 3 % (standard deviation) on both sides, log(1 ± 0.08) keeps false claims below 2 in 100;
# tests/test_compare.py shows it. A true difference below that is not claimed, however often repeated.
FLOOR = 0.08

Numbers = NDArray[np.float64]


def change(a_s: ArrayLike, b_s: ArrayLike, drift: float = 0.0) -> tuple[Numbers, Numbers, Numbers]:
    """How the times change from A to B, and its interval from low to high: 0.1 is 10 % longer.

    Of positive times along the last axis, two or more on each side. The ratio of the geometric means,
    with Welch's interval (1947) for the means of the logarithms, wider at both ends by FLOOR and by
    `drift`, the logarithm of the change that the machine itself shows."""
    logs = np.log(np.asarray(a_s, float)), np.log(np.asarray(b_s, float))
    middle = logs[1].mean(axis=-1) - logs[0].mean(axis=-1)
    wide = _welch(*logs) + FLOOR + abs(drift)
    return np.expm1(middle), np.expm1(middle - wide), np.expm1(middle + wide)


def _welch(a: Numbers, b: Numbers) -> Numbers:
    """Half the width of the interval for the difference of means, at LEVEL. `scipy.stats.ttest_ind`
    gives the same, but warns and says nan where the values of one side are all equal."""
    error_a, error_b = (side.var(axis=-1, ddof=1) / side.shape[-1] for side in (a, b))
    total = error_a + error_b
    parts = error_a**2 / (a.shape[-1] - 1) + error_b**2 / (b.shape[-1] - 1)
    freedom = np.divide(total**2, parts, out=np.ones_like(total), where=parts > 0)
    return np.asarray(stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total))


def verdict(middle: float, low: float, high: float) -> str:
    """A change of the time and its interval (shares of A's time) in words."""
    if low <= 0 <= high:
        return f"no difference ({100 * low:+.0f} to {100 * high:+.0f} %)"
    word, ends = ("slower", (low, high)) if middle > 0 else ("faster", (-high, -low))
    return f"B is {word} by {100 * abs(middle):.0f} % ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %)"
