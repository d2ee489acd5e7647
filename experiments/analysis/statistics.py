"""Intervals of times and of their ratios, from `ln seconds ~ cell + block` fitted by least squares.

A block is a round of a sweep, in which every cell was measured once and the baseline twice. The machine's
drift from round to round is the same for all cells, so it drops out of their differences. The error of a
trial is pooled over all cells, but a cell noisier than the others keeps its own (the max rule).

In simulated sweeps of 2, 3 or 5 rounds, with drift and heavy tails, a 95 % interval of a speedup covers it in
93 to 98 of 100 (`make coverage`). Each interval holds by itself; `holm` and `best_set` serve several claims
at once.
"""

from collections.abc import Hashable, Mapping, Sequence
from math import exp, inf, isnan, nan, sqrt
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
DECIMALS = 10  # of a logarithm of seconds; the last of 16 digits differ from processor to processor
BEYOND_POOLED = 0.45  # of equally noisy cells
MIN_DOF_OF_SUM = 3.0  # with fewer, an interval after two rounds tells nothing
MIN_DOF = 0.5  # of a cell's own error; with fewer it tells nothing
SINGULAR = 1e-9  # of the largest singular value: a design of cells and blocks has none so small but zeros
Array = NDArray[np.float64]
Cell = TypeVar("Cell", bound=Hashable)


def steady(number: float) -> float:
    """Return a number to nine digits and seven decimals, which are the same on every processor."""
    return round(float(f"{number:.9g}"), 7) + 0.0  # a zero has no sign


def interval_columns(measure: str) -> list[str]:
    """Return the names of the columns of a measure and of the ends of its interval."""
    return [measure, f"{measure}_low", f"{measure}_high"]


class Interval(NamedTuple):
    """A value and the ends of its interval; the ends are NaN if nothing tells them."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Return True if the ends are known."""
        return not isnan(self.low)

    def times(self, factor: float) -> "Interval":
        """Return the interval of `factor` times the quantity."""
        return Interval(*(factor * end for end in self))

    def exp(self) -> "Interval":
        """Exponentiate the interval of a log-ratio into one of the ratio."""
        return Interval(*map(exp, self))

    def complement(self) -> "Interval":
        """Return the interval of 1 - ratio: the share of time that is lost, or saved."""
        return Interval(1 - self.value, 1 - self.high, 1 - self.low)


class Estimate(NamedTuple):
    """A log-ratio of times, its standard error (NaN if unknown), and the degrees of freedom of the error."""

    value: float
    error: float
    dof: float

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the interval of the log-ratio by Student's t."""
        half = self.error * float(stats.t.ppf((1 + level) / 2, self.dof)) if self.dof > 0 else nan
        return Interval(self.value, self.value - half, self.value + half)

    def exp(self, level: float = LEVEL) -> Interval:
        """Return the interval of the ratio."""
        return self.interval(level).exp()

    def inverse(self) -> "Estimate":
        """Return the log-ratio with its sides exchanged: that of a rate, if this is one of seconds."""
        return self._replace(value=-self.value)

    @property
    def p_value(self) -> float:
        """Return the probability of a difference as large as this if there is none."""
        if self.error > 0:
            return float(2 * stats.t.sf(abs(self.value) / self.error, self.dof))
        return 0.0 if self.error == 0 and self.value else 1.0


UNKNOWN = Estimate(nan, nan, 0)


class BlockModel:
    """The fit to the cell, the block and the positive seconds of each trial.

    With `blocks=None` the differences between blocks are part of the error, and `dof` says from how many of
    them the error is known. Estimates are rounded to DECIMALS, so that equal times give equal estimates on
    every processor.
    """

    def __init__(
        self, cells: Sequence[Hashable], blocks: Sequence[Hashable] | None, seconds: ArrayLike, dof: int = 0
    ) -> None:
        cell, names = pd.factorize(np.fromiter(cells, dtype=object))
        block, _ = pd.factorize(np.fromiter(blocks or ["all"] * len(cell), dtype=object))
        self.cells: dict[Any, int] = {name: column for column, name in enumerate(names)}
        self._logs = np.log(np.asarray(seconds, float))
        self._design = np.hstack([np.eye(len(names))[cell], np.eye(block.max(initial=-1) + 1)[block]])
        self._solve = np.linalg.pinv(self._design, rcond=SINGULAR)
        self._means = np.bincount(cell, self._logs) / np.bincount(cell)
        # The share of a trial's error that is left in its residual.
        free = 1 - np.einsum("ij,ji->i", self._design, self._solve)
        squares = (self._logs - self._design @ (self._solve @ self._logs)) ** 2
        self.dof = min(dof or len(cell), round(free.sum()))
        self._pooled = squares.sum() / free.sum() if self.dof else nan  # variance of a trial's logarithm
        sums, self._own_dof = (np.bincount(cell, each).astype(float) for each in (squares, free))
        own = _typical(sums, self._own_dof, free.sum())
        self._cell, self._variance = cell, np.fmax(own, self._pooled)[cell]  # of each trial, by the max rule
        counts = pd.Series(block if blocks else np.arange(len(cell))).groupby(cell).nunique()
        self.rounds = {name: int(counts[column]) for name, column in self.cells.items()}

    @classmethod
    def of(cls, trials: pd.DataFrame, cells: Sequence[Hashable]) -> Self:
        """Fit `model_s`, or else `wall_s`, of ok trials of one workload, by the `round` of each `sweep`."""
        seconds = trials.get("model_s", trials["wall_s"]).to_numpy(float)
        return cls(cells, list(zip(trials["sweep"], trials["round"], strict=True)), seconds)

    def log_seconds(self, cell: Hashable) -> Estimate:
        """Return the logarithm of a cell's seconds in the mean of all blocks; UNKNOWN if not measured."""
        if cell not in self.cells:
            return UNKNOWN
        blocks = self._design.shape[1] - len(self.cells)
        mean_block = np.repeat([0, 1 / blocks], [len(self.cells), blocks])
        return self._estimate(self._indicator(cell) + mean_block, [cell])

    def seconds(self, cell: Hashable) -> float:
        """Return the geometric mean of a cell's seconds in the mean of all blocks."""
        return exp(self.log_seconds(cell).value)

    def log_ratio(self, cell: Hashable, base: Hashable) -> Estimate:
        """Return `ln(seconds of cell / seconds of base)`; UNKNOWN if one of them was not measured.

        The error is NaN if one of them was not repeated, or if no chain of common blocks connects them.
        """
        if not {cell, base} <= self.cells.keys():
            return UNKNOWN
        return self._estimate(self._indicator(cell) - self._indicator(base), [cell, base])

    def _indicator(self, cell: Hashable) -> Array:
        return np.asarray(np.arange(self._design.shape[1]) == self.cells[cell], float)

    def _estimate(self, combination: Array, cells: Sequence[Hashable]) -> Estimate:
        """Estimate a linear combination of the model's parameters, which concerns these cells."""
        weights = combination @ self._solve  # of each trial's logarithm in the estimate
        if not np.allclose(weights @ self._design, combination, atol=1e-6):  # no common blocks
            return Estimate(round(float(combination[: len(self._means)] @ self._means), DECIMALS), nan, 0)
        value = round(float(weights @ self._logs), DECIMALS)
        if not self.dof or any(self.rounds[cell] < 2 for cell in cells):
            return Estimate(value, nan, self.dof)
        beyond = np.bincount(self._cell, weights**2 * (self._variance - self._pooled))  # the pooled variance
        variances = np.append(beyond, weights @ weights * self._pooled)
        return summed(value, variances, np.append(self._own_dof, self.dof))


def _typical(squares: Array, dof: Array, of_all: float) -> Array:
    """Return the variance of each cell by its residuals; NaN if they tell nothing.

    A mean of few squares is mostly too small, so each is divided by what it exceeds in BEYOND_POOLED of the
    cases if all cells are equally noisy.
    """
    known = np.where((dof > MIN_DOF) & (dof < of_all), dof, nan)
    share = stats.beta.isf(BEYOND_POOLED, known / 2, (of_all - known) / 2)
    return np.asarray(squares / (of_all * share))


def summed(value: float, variances: Array, dof: Array) -> Estimate:
    """Return an estimate whose variance is the sum of these, each known from so many degrees of freedom.

    The sum has those of Satterthwaite 1946, but MIN_DOF_OF_SUM at least if one of them has so many.
    """
    total, of_each = variances.sum(), np.maximum(dof, MIN_DOF)
    of_sum = total**2 / (variances**2 / of_each).sum() if total > 0 else of_each.max()
    at_least = max(float(of_sum), min(of_each.max(), MIN_DOF_OF_SUM))
    return Estimate(value, round(sqrt(total), DECIMALS), round(at_least, DECIMALS))


def holm(estimates: Sequence[Estimate]) -> list[Interval]:
    """Return intervals of log-ratios of which, with probability LEVEL, none leaves out a true 0.

    Holm 1979: of m claims the surest is held to `(1 - LEVEL) / m`, the next to `(1 - LEVEL) / (m - 1)`, until
    one fails; the others share its level.
    """
    order = sorted(range(len(estimates)), key=lambda place: estimates[place].p_value)
    intervals: dict[int, Interval] = {}
    alpha, failed = 1 - LEVEL, False
    for rank, place in enumerate(order):
        alpha = alpha if failed else (1 - LEVEL) / (len(order) - rank)
        intervals[place] = estimates[place].interval(1 - alpha)
        failed = failed or not estimates[place].p_value <= alpha
    return [intervals[place] for place in range(len(estimates))]


def time_saved(model: BlockModel, cell: Hashable, others: Mapping[str, Hashable]) -> dict[str, Interval]:
    """Return the share of a cell's time that each measured one of `others` saves, Holm-adjusted."""
    known = {name: model.log_ratio(other, cell) for name, other in others.items() if other in model.cells}
    return dict(zip(known, (each.exp().complement() for each in holm([*known.values()])), strict=True))


def best_set(model: BlockModel, cells: Sequence[Cell]) -> dict[Cell, float]:
    """Return the upper bound on how much slower each cell is than the best other (0.1 = 10 %), simultaneous.

    All bounds hold together with probability LEVEL (Gupta 1965, Hsu 1984, with Bonferroni's constant). A
    bound is infinite if the cell or another one was not repeated.
    """
    bounds = {}
    for cell in cells:
        ratios = [model.log_ratio(cell, other) for other in cells if other != cell] or [Estimate(0.0, 0.0, 1)]
        values, errors, dof = np.array(ratios).T
        highs = values + errors * stats.t.ppf(1 - (1 - LEVEL) / len(ratios), np.maximum(dof, 1))
        bounds[cell] = inf if np.isnan(highs).any() else float(highs.max())
    return {cell: exp(max(bound, 0.0)) - 1 if bound < inf else inf for cell, bound in bounds.items()}
