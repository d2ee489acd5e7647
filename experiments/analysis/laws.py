"""Three laws of scaling fitted to speedups: what each says of a serial part and of a peak.

In the right quantity each is linear in its parameters, which are never negative: a least-squares problem with
one minimum. Its residuals are relative: in seconds the smallest worker counts would outweigh all others."""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls
from scipy.stats import multivariate_t

from augment.strategies.sequential import Sequential
from experiments.analysis.scaling import Models, strategies
from experiments.analysis.select import INSTRUMENTS
from experiments.analysis.statistics import LEVEL, Array, Interval, interval_columns

MIN_COUNTS = 5  # worker counts that a fit needs, three more than USL has parameters; S(1) = 1 in all laws
PASSES = 10  # of weighing the residuals by the last prediction; a good fit stands still after two
SAMPLES = 1000  # of a bootstrap


class Law(NamedTuple):
    """quantity(S) = terms[0] + parameters @ terms[1:]."""

    name: str
    quantity: np.ufunc  # of the speedup, and the way back
    terms: Callable[[Array], list[Array]]  # of the workers
    parameters: list[str]
    most: float = 1.0  # of a parameter


AMDAHL = Law("Amdahl", np.reciprocal, lambda p: [1 / p, 1 - 1 / p], ["s"])
USL = Law("USL", np.reciprocal, lambda p: [1 / p, 1 - 1 / p, p - 1], ["sigma", "kappa"], np.inf)
GUSTAFSON = Law("Gustafson", np.positive, lambda p: [p, 1 - p], ["s"])


class Fit(NamedTuple):
    """A law fitted to speedups at some worker counts."""

    law: Law
    workers: list[int]
    parameters: Array  # a row of the fit itself, then one per sample of the bootstrap
    off_by: float  # relative residual, root mean square

    def results(self) -> dict[str, Interval]:
        """Return the parameters, and the peak of USL."""
        values = dict(zip(self.law.parameters, self.parameters.T, strict=True))
        values |= _peak(**values) if self.law is USL else {}
        return {name: _interval(samples) for name, samples in values.items()}

    def curve(self, workers: npt.ArrayLike) -> Array:
        """Return the speedup at each of `workers`."""
        first, *others = self.law.terms(np.asarray(workers, float))
        speedup: Array = self.law.quantity(first + self.parameters[0] @ np.array(others))
        return speedup


def _peak(sigma: Array, kappa: Array) -> dict[str, Array]:
    """At 1 worker if speedup falls from the start, at infinity if it never does: its speedup is the limit."""
    rise, fall = np.sqrt(np.clip(1 - sigma, 0, None)), np.sqrt(kappa)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0: neither a rise nor a fall
        workers, speedup = np.fmax(rise / fall, 1), 1 / (1 - np.clip(rise - fall, 0, None) ** 2)
    return {"peak workers": workers, "peak speedup": speedup}


def _interval(samples: Array) -> Interval:
    """Return the first of `samples`, that of the fit, and the ends of the interval of the others."""
    tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    low, high = np.quantile(samples[1:], tails, method="inverted_cdf")  # no means: some are infinite
    return Interval(float(samples[0]), float(low), float(high))


def fit(law: Law, workers: npt.ArrayLike, speedup: npt.ArrayLike, covariance: Array, dof: int) -> Fit:
    """Fits `law` to speedups at ascending counts above 1. `covariance` is that of their logarithms, NaN where
    it is unknown, and `dof` its degrees of freedom. The intervals are of a parametric bootstrap about the
    fitted curve: errors of this covariance and, as far as the law is further off than these explain, of the
    size of its residuals; by Student's t, since either size is known from a few values only."""
    counts, measured = np.asarray(workers, float), law.quantity(np.asarray(speedup, float))
    first, *others = law.terms(counts)
    columns, predicted = np.array(others).T, measured
    for _ in range(PASSES):
        solution, _norm = nnls(columns / predicted[:, None], (measured - first) / predicted)
        best = np.minimum(solution, law.most)  # exact: a law with such an end has one parameter
        predicted = first + columns @ best
    squares, left = (measured / predicted - 1) ** 2, len(counts) - len(best)
    known, random = np.nan_to_num(covariance), np.random.default_rng(0)
    misfit = max(squares.sum() / left - np.diag(known).mean(), 0.0) * np.eye(len(counts))
    errors = multivariate_t.rvs(None, known, max(dof, 1), SAMPLES, random)
    errors = errors + multivariate_t.rvs(None, misfit, left, SAMPLES, random)
    samples = [nnls(columns / predicted[:, None], target)[0] for target in 1 - first / predicted + errors]
    off_by = float(np.sqrt(squares.mean()))
    return Fit(law, [*map(int, counts)], np.minimum([best, *samples], law.most), off_by)


class Case(NamedTuple):
    """One strategy with one saving flag: the laws, and the speedups at several workers that they fit."""

    saving: bool
    strategy: str
    points: pd.DataFrame
    fits: list[Fit]


def cases(points: pd.DataFrame, models: Models, cpus: float = np.inf) -> list[Case]:
    """Return the laws that apply to the points of `strong` or `weak`, with their `models`, for each strategy
    but instruments. A law assumes a CPU per worker: only counts up to `cpus` are fitted, if MIN_COUNTS are
    known."""
    weak = "speedup" not in points
    measure, laws = ("efficiency", [GUSTAFSON]) if weak else ("speedup", [AMDAHL, USL])
    if weak and points["normalised_efficiency"].count() >= MIN_COUNTS:  # never mixed with the study's
        measure = "normalised_efficiency"
    apart = points["strategy"].isin([Sequential.name, *INSTRUMENTS])
    curves = points[points["workers"].between(2, cpus) & ~apart].sort_values("workers")
    scale = curves["workers"] if weak else 1
    curves[interval_columns("speedup")] = curves[interval_columns(measure)].mul(scale, axis=0)
    curves = curves.dropna(subset="speedup")
    result = []
    for saving, strategy in product((True, False), strategies(curves)):
        known = curves[(curves["saving"] == saving) & (curves["strategy"] == strategy)]
        if len(known) >= MIN_COUNTS:
            pairs = list(zip(known[f"{measure}_base"], known["point"], strict=True))
            errors = models[saving].covariance(pairs), models[saving].dof
            fits = [fit(law, known["workers"], known["speedup"], *errors) for law in laws]
            result.append(Case(saving, strategy, known, fits))
    return result
