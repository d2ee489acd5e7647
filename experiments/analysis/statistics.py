"""The intervals of this suite: `ln wall_s ~ cell + block`, fitted by least squares.

A block is a round of a sweep, in which every cell was measured once and the baseline twice: what the machine
drifts by from one round to the next falls on all cells alike and drops out of their differences. The error
of a trial is pooled over all cells; a cell that is noisier than the others keeps its own (the max rule). In
simulations with drift and heavy tails such a 95 % interval of a speedup covers it in 93 to 98 of 100 sweeps
of 2, 3 or 5 rounds (tests/test_statistics.py), where a bootstrap of the repetitions covers it in half. The
95 % are those of each interval by itself; `holm` and `best_set` are for several claims at once.
"""

from collections.abc import Hashable, Sequence
from math import exp, inf, isnan, nan, sqrt
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
DECIMALS = 10  # of a logarithm of seconds; the last of 16 digits differ from processor to processor
SINGULAR = 1e-9  # of the largest singular value: a design of cells and blocks has none so small but zeros
Array = NDArray[np.float64]


class Interval(NamedTuple):
    """A value and the ends of its interval; NaN ends where there is none."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether it has ends."""
        return not isnan(self.low)

    def times(self, factor: float) -> "Interval":
        """Of so many times the quantity, where the factor is known."""
        return Interval(*(factor * each for each in self))

    def exp(self) -> "Interval":
        """Of a ratio, where this is of its logarithm."""
        return Interval(*map(exp, self))


class Estimate(NamedTuple):
    """A difference of logarithms of times, its standard error (NaN where nothing tells it) and the degrees
    of freedom of that."""

    value: float
    error: float
    dof: float

    def interval(self, level: float = LEVEL) -> Interval:
        """Of the difference itself, by Student's t."""
        half = self.error * float(stats.t.ppf((1 + level) / 2, self.dof)) if self.dof > 0 else nan
        return Interval(self.value, self.value - half, self.value + half)

    def exp(self, level: float = LEVEL) -> Interval:
        """Of the ratio of the times."""
        return self.interval(level).exp()

    def inverse(self) -> "Estimate":
        """Of the times in the other order: of a rate, where this is of seconds."""
        return self._replace(value=-self.value)

    @property
    def p_value(self) -> float:
        """How probable so large a difference is where there is none."""
        if self.error > 0:
            return float(2 * stats.t.sf(abs(self.value) / self.error, self.dof))
        return 0.0 if self.error == 0 and self.value else 1.0


UNKNOWN = Estimate(nan, nan, 0)


class BlockModel:
    """The fit to trials: the cell, the block and the positive seconds of each.

    With `blocks=None` the trials of a cell are taken as they come, and what their blocks differ by is
    part of their error; `dof` then says how many differences that error is known from. Estimates are rounded
    to DECIMALS, so that equal times are equal, and no choice hangs on the last bit of a fit."""

    def __init__(
        self, cells: Sequence[Hashable], blocks: Sequence[Hashable] | None, walls_s: ArrayLike, dof: int = 0
    ) -> None:
        number, names = pd.factorize(np.fromiter(cells, dtype=object))
        block, _ = pd.factorize(np.fromiter(blocks or ["all"] * len(number), dtype=object))
        self.cells: dict[Hashable, int] = {name: place for place, name in enumerate(names)}
        self._logs = np.log(np.asarray(walls_s, float))
        self._design = np.hstack([np.eye(len(names))[number], np.eye(block.max(initial=-1) + 1)[block]])
        self._solve = np.linalg.pinv(self._design, rcond=SINGULAR)
        self._means = np.bincount(number, self._logs) / np.bincount(number)
        # How much of a trial's error is left in its residual.
        free = 1 - np.einsum("ij,ji->i", self._design, self._solve)
        squares = (self._logs - self._design @ (self._solve @ self._logs)) ** 2
        self.dof = dof or round(free.sum())
        self.variance = pooled = squares.sum() / free.sum() if self.dof else nan  # of a trial's logarithm
        own = np.bincount(number, squares) / np.maximum(np.bincount(number, free), 1e-9)
        self._variance = np.maximum(own, pooled)[number]  # of each trial
        each = block if blocks else np.arange(len(number))
        counts = pd.Series(each).groupby(number).nunique()
        self.rounds = {name: int(counts[place]) for name, place in self.cells.items()}

    @classmethod
    def of(cls, trials: pd.DataFrame, cells: Sequence[Hashable]) -> Self:
        """Of the ok trials of one workload, in the blocks that their `sweep` and `round` say."""
        blocks = list(zip(trials["sweep"], trials["round"], strict=True))
        return cls(cells, blocks, trials["wall_s"].to_numpy(float))

    def log_seconds(self, cell: Hashable) -> Estimate:
        """The logarithm of a cell's seconds in the mean of all blocks."""
        if cell not in self.cells:
            return UNKNOWN
        blocks = self._design.shape[1] - len(self.cells)
        return self._estimate(
            self._only(cell) + np.repeat([0, 1 / blocks], [len(self.cells), blocks]), [cell]
        )

    def seconds(self, cell: Hashable) -> float:
        """A cell's geometric mean in the mean of all blocks."""
        return exp(self.log_seconds(cell).value)

    def log_ratio(self, cell: Hashable, base: Hashable) -> Estimate:
        """ln(seconds of `cell` / seconds of `base`). Without an error where one of them was not repeated, or
        no chain of common blocks connects them; unknown where one was not measured."""
        if not {cell, base} <= self.cells.keys():
            return UNKNOWN
        return self._estimate(self._only(cell) - self._only(base), [cell, base])

    def covariance(self, pairs: Sequence[tuple[Hashable, Hashable]]) -> Array:
        """Of ln(seconds of the first / seconds of the second) of each pair of cells; NaN where one of them
        has no error."""
        if any(isnan(self.log_ratio(*pair).error) for pair in pairs):
            return np.full((len(pairs), len(pairs)), nan)
        rows = np.array([(self._only(cell) - self._only(base)) @ self._solve for cell, base in pairs])
        return np.asarray((rows * self._variance) @ rows.T)

    def _only(self, cell: Hashable) -> Array:
        return np.asarray(np.arange(self._design.shape[1]) == self.cells[cell], float)

    def _estimate(self, sought: Array, cells: Sequence[Hashable]) -> Estimate:
        """Of the sum of the model's parameters with the weights `sought`, which concerns these cells."""
        weights = sought @ self._solve  # of each trial's logarithm in the estimate
        if not np.allclose(weights @ self._design, sought, atol=1e-6):
            return Estimate(round(float(sought[: len(self._means)] @ self._means), DECIMALS), nan, 0)
        repeated = self.dof and all(self.rounds[cell] > 1 for cell in cells)
        error = sqrt(float(weights**2 @ self._variance)) if repeated else nan
        return Estimate(round(float(weights @ self._logs), DECIMALS), round(error, DECIMALS), self.dof)


def holm(estimates: Sequence[Estimate], level: float = LEVEL) -> list[Interval]:
    """Intervals of the differences, of which with probability `level` none leaves out a true 0 (Holm 1979):
    of m the surest is held to (1 - level) / m, the next to (1 - level) / (m - 1), until one fails; the
    others share its level."""
    order = sorted(range(len(estimates)), key=lambda place: estimates[place].p_value)
    intervals: dict[int, Interval] = {}
    alpha, failed = 1 - level, False
    for rank, place in enumerate(order):
        alpha = alpha if failed else (1 - level) / (len(order) - rank)
        intervals[place] = estimates[place].interval(1 - alpha)
        failed = failed or not estimates[place].p_value <= alpha
    return [intervals[place] for place in range(len(estimates))]


def best_set(model: BlockModel, cells: Sequence[Hashable], level: float = LEVEL) -> dict[Hashable, float]:
    """Of each cell the share by which it is at most slower than the best of all others: 0.1 is 10 %. A cell
    is in the best set, told slower than none, where this bound is the only one to speak against it; all
    bounds hold together with probability `level` (Gupta 1965, Hsu 1984, with Bonferroni's constant).
    Infinite where nothing was repeated."""
    bounds = {}
    for cell in cells:
        others = [model.log_ratio(cell, other) for other in cells if other != cell]
        one_sided = 1 - (1 - level) / max(len(others), 1)
        highs = [each.value + each.error * float(stats.t.ppf(one_sided, max(each.dof, 1))) for each in others]
        bounds[cell] = max((inf if isnan(high) else high for high in highs), default=0.0)
    return {cell: exp(max(bound, 0.0)) - 1 if bound < inf else inf for cell, bound in bounds.items()}
