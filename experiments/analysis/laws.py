"""Laws of scaling fitted to points: what they say of a serial part, of a peak, and of counts beyond.

In the right quantity each law is linear in its parameters, which are never negative:

- Amdahl (1967):    1/S = 1/P + s (1 - 1/P)
- Gunther (1993):   1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1), the Universal Scalability Law
- Gustafson (1988): S = P - s (P - 1), where S is the scaled speedup of weak scaling

So a fit is a least-squares problem with one minimum and needs no starting values. The residuals are relative,
measured / predicted - 1: in seconds the smallest worker counts would outweigh all others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

from experiments.analysis.statistics import PERCENT, SAMPLES, Array

MIN_COUNTS = 3  # worker counts that a fit needs, one more than USL has parameters; S(1) = 1 in all laws
ROUNDS = 10  # of weighing the residuals by the last prediction; a good fit stands still after two
ROUNDING = 1e-12
POOR = 0.25  # relative residual


@dataclass(frozen=True, eq=False)
class Law:
    """quantity(S) = terms[0] + parameters @ terms[1:], and what to report of the parameters."""

    name: str
    terms: Callable[[Array], list[Array]]  # of the workers
    quantity: np.ufunc  # of the speedup, and the way back
    upper: float  # of every parameter
    results: Callable[..., dict[str, Array]]  # of the parameters, an array of each

    def speedup(self, parameters: Array, workers: npt.ArrayLike) -> Array:
        """S at each of `workers` (last axis) by each set of `parameters`."""
        offset, *columns = self.terms(np.asarray(workers, dtype=float))
        return np.asarray(self.quantity(offset + parameters @ np.array(columns)))


def _reciprocal(values: Array) -> Array:
    return np.divide(1.0, values, out=np.full_like(values, np.inf), where=values > 0)


def _usl_results(sigma: Array, kappa: Array) -> dict[str, Array]:
    """The peak is at sqrt((1 - sigma) / kappa) workers: at 1 if speedup falls from the start, infinite
    without a peak; then its speedup is the limit 1 / sigma."""
    with np.errstate(invalid="ignore"):  # 0 x infinity: neither a rise nor a fall
        workers = np.fmax(np.sqrt(np.clip(1 - sigma, 0, None) * _reciprocal(kappa)), 1)
        inverse = 1 / workers + sigma * (1 - 1 / workers) + np.nan_to_num(kappa * (workers - 1))
    peak = {"peak workers": workers, "peak speedup": _reciprocal(inverse)}
    return {"sigma": sigma, "kappa": kappa} | peak


AMDAHL = Law(
    *("Amdahl", lambda p: [1 / p, 1 - 1 / p], np.reciprocal, 1.0),
    lambda s: {"s": s, "limit 1/s": _reciprocal(s)},
)
USL = Law("USL", lambda p: [1 / p, 1 - 1 / p, p - 1], np.reciprocal, np.inf, _usl_results)
GUSTAFSON = Law("Gustafson", lambda p: [p, 1 - p], np.positive, 1.0, lambda s: {"s": s})


@dataclass(frozen=True, eq=False)
class Fit:
    """A law's parameters, best and resampled, and how far it is from the points (0.1 is 10 %)."""

    law: Law
    workers: tuple[int, ...]  # that it was fitted to
    parameters: Array
    samples: Array
    residual_rms: float

    @property
    def poor(self) -> bool:
        """Whether it is too far from its own points to say anything of others."""
        return self.residual_rms > POOR

    def results(self) -> dict[str, tuple[float, float, float]]:
        """Value and 95 % interval of all that the law reports."""
        best, samples = (
            self.law.results(*np.moveaxis(each, -1, 0)) for each in (self.parameters, self.samples)
        )
        ends = {name: _ends(values) for name, values in samples.items()}
        return {name: (float(best[name]), float(low), float(high)) for name, (low, high) in ends.items()}


def fit(
    law: Law, workers: npt.ArrayLike, speedup: npt.ArrayLike, spread: float = 0.0, dof: int = 1
) -> Fit | None:
    """Fits `law` to speedups at distinct counts above 1; None if there are fewer than MIN_COUNTS of them.

    `spread` is the relative standard error of a measured mean and `dof` its degrees of freedom. The interval
    is that of a parametric bootstrap: relative errors about the fitted curve, as large as `spread` or, if
    the law itself is further off, as its residuals; and an error of size `spread` that all points share, the
    baseline's. Their size is drawn too (chi-square), since it is known from a few values only."""
    counts, measured = np.asarray(workers, dtype=float), law.quantity(np.asarray(speedup, dtype=float))
    if len(counts) < MIN_COUNTS:
        return None
    offset, *terms = law.terms(counts)
    columns, predicted = np.array(terms), measured
    for _ in range(ROUNDS):
        (best,) = _bounded(law, columns / predicted, ((measured - offset) / predicted)[None])
        predicted = offset + best @ columns
    residuals, left = measured / predicted - 1, len(counts) - len(columns)
    misfit = float(np.sqrt((residuals**2).sum() / left))

    random = np.random.default_rng(0)
    shared = _sizes(random, spread, dof)
    independent = shared if spread >= misfit else _sizes(random, misfit, left)
    errors = independent * random.normal(size=(SAMPLES, len(counts)))
    errors += shared * random.normal(size=(SAMPLES, 1))
    samples = _bounded(law, columns / predicted, 1 - offset / predicted + errors)
    rms = float(np.sqrt((residuals**2).mean()))
    return Fit(law, tuple(map(int, counts)), best, samples, rms)


def extrapolate(fitted: Fit, workers: Sequence[float] | Array) -> pd.DataFrame:
    """Columns workers, speedup, low and high: the law's curve and its 95 % interval at `workers`."""
    low, high = _ends(fitted.law.speedup(fitted.samples, workers))
    best = fitted.law.speedup(fitted.parameters, workers)
    return pd.DataFrame({"workers": workers, "speedup": best, "low": low, "high": high})


def karp_flatt(speedup: Any, workers: Any) -> Any:
    """The experimentally determined serial fraction e = (1/S - 1/P) / (1 - 1/P) (Karp and Flatt 1990), which
    grows with P where the loss is overhead and not a serial part; below 0 is superlinear."""
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


def _bounded(law: Law, columns: Array, targets: Array) -> Array:
    """Least squares with every parameter (a row of `columns`) in [0, upper], for each row of `targets`.

    Cutting at `upper` afterwards is exact for a law of one parameter, and only such laws have one.
    `scipy.optimize.lsq_linear` knows both bounds but takes five times as long, a thousand times a fit,
    and leaves 1e-17 where nnls says 0."""
    fitted = np.array([nnls(columns.T, target)[0] for target in targets])
    return np.minimum(np.where(fitted < ROUNDING, 0.0, fitted), law.upper)


def _sizes(random: np.random.Generator, size: float, dof: int) -> Array:
    return size * np.sqrt(dof / random.chisquare(dof, (SAMPLES, 1)))


def _ends(samples: Array) -> Array:
    return np.percentile(samples, PERCENT, axis=0, method="inverted_cdf")  # no arithmetic: some are infinite
