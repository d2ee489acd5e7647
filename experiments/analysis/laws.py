"""Laws of scaling fitted to points: what they say of a serial part, of a peak, and of counts beyond.

In the right quantity each law is linear in its parameters, which are never negative:

- Amdahl (1967):    1/S = 1/P + s (1 - 1/P)
- Gunther (1993):   1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1), the Universal Scalability Law
- Gustafson (1988): S = P - s (P - 1), where S is the scaled speedup of weak scaling

So a fit is a least-squares problem with one minimum and needs no starting values. The residuals are
relative, measured / predicted - 1: the noise of a time grows with the time, and in seconds the
smallest worker counts would outweigh all others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls

Array = npt.NDArray[np.float64]
LEAST = 3  # worker counts that a fit needs, one more than USL has parameters; all laws pass through S(1) = 1
DRAWS = 1000
ROUNDS = 10  # of weighing the residuals by the last prediction; a good fit stands still after two
ROUNDING = 1e-12
POOR = 0.25  # relative residual
PERCENT = (2.5, 97.5)


@dataclass(frozen=True, eq=False)
class Law:
    """quantity(S) = terms[0] + parameters @ terms[1:], and what to report of the parameters."""

    name: str
    terms: Callable[[Array], Array]  # of the workers
    quantity: np.ufunc  # of the speedup, and the way back
    upper: float  # of every parameter
    results: dict[str, Callable[[Array], Array]]  # of parameters, which lie along the last axis

    def speedup(self, parameters: Array, workers: npt.ArrayLike) -> Array:
        """S at each of `workers` (last axis) by each set of `parameters`."""
        offset, *columns = self.terms(np.asarray(workers, dtype=float))
        return np.asarray(self.quantity(offset + parameters @ np.array(columns)))


def _reciprocal(values: Array) -> Array:
    return np.divide(1.0, values, out=np.full_like(values, np.inf), where=values > 0)


def _peak_workers(parameters: Array) -> Array:
    """sqrt((1 - sigma) / kappa), 1 if speedup falls from the start, infinite without a peak."""
    sigma, kappa = np.moveaxis(parameters, -1, 0)
    with np.errstate(invalid="ignore"):  # 0 x infinity: neither a rise nor a fall, no peak beyond 1
        workers = np.sqrt(np.clip(1 - sigma, 0, None) * _reciprocal(kappa))
    return np.asarray(np.fmax(workers, 1))


def _peak_speedup(parameters: Array) -> Array:
    """S at the peak; without a peak the limit 1 / sigma."""
    sigma, kappa = np.moveaxis(parameters, -1, 0)
    workers = _peak_workers(parameters)
    finite = np.where(np.isfinite(workers), workers, 1.0)
    inverse = 1 / workers + sigma * (1 - 1 / workers) + kappa * (finite - 1)
    return _reciprocal(inverse)


AMDAHL = Law(
    "Amdahl",
    lambda p: np.stack([1 / p, 1 - 1 / p]),
    np.reciprocal,
    1.0,
    {"s": lambda fitted: fitted[..., 0], "limit 1/s": lambda fitted: _reciprocal(fitted[..., 0])},
)
USL = Law(
    "USL",
    lambda p: np.stack([1 / p, 1 - 1 / p, p - 1]),
    np.reciprocal,
    np.inf,
    {
        "sigma": lambda fitted: fitted[..., 0],
        "kappa": lambda fitted: fitted[..., 1],
        "peak workers": _peak_workers,
        "peak speedup": _peak_speedup,
    },
)
GUSTAFSON = Law(
    "Gustafson",
    lambda p: np.stack([p, 1 - p]),
    np.positive,
    1.0,
    {"s": lambda fitted: fitted[..., 0]},
)


@dataclass(frozen=True, eq=False)
class Fit:
    """A law's parameters, best and resampled, and how far it is from the points (0.1 is 10 %)."""

    law: Law
    workers: tuple[int, ...]  # that it was fitted to
    parameters: Array
    draws: Array
    residual_rms: float

    @property
    def poor(self) -> bool:
        """Whether it is too far from its own points to say anything of others."""
        return self.residual_rms > POOR

    def results(self) -> dict[str, tuple[float, float, float]]:
        """Value and 95 % interval of all that the law reports."""
        found = {}
        for name, of in self.law.results.items():
            low, high = _interval(of(self.draws))
            found[name] = (float(of(self.parameters)), float(low), float(high))
        return found


def fit(
    law: Law, workers: npt.ArrayLike, speedup: npt.ArrayLike, spread: float = 0.0, freedom: int = 1
) -> Fit | None:
    """Fits `law` to speedups at distinct counts above 1; None if there are fewer than LEAST of them.

    `spread` is the relative standard error of a measured mean and `freedom` its degrees of freedom.
    The interval is that of a parametric bootstrap: relative errors about the fitted curve, as large
    as `spread` or, if the law itself is further off than that, as its residuals; and one error
    of size `spread` that all points share, the baseline's. Their size is drawn too (chi-square),
    since it is known from a few values only.
    """
    counts, measured = np.asarray(workers, dtype=float), law.quantity(np.asarray(speedup, dtype=float))
    if len(counts) < LEAST:
        return None
    offset, *columns = law.terms(counts)
    predicted = measured
    for _ in range(ROUNDS):
        scaled = (np.array(columns) / predicted).T
        best = _bounded(law, scaled, [(measured - offset) / predicted])[0]
        predicted = offset + best @ np.array(columns)
    residuals = measured / predicted - 1
    left = len(counts) - len(best)
    misfit = float(np.sqrt((residuals**2).sum() / left))

    random = np.random.default_rng(0)
    shared = _sizes(random, spread, freedom)
    own = shared if spread >= misfit else _sizes(random, misfit, left)
    errors = own * random.normal(size=(DRAWS, len(counts))) + shared * random.normal(size=(DRAWS, 1))
    scaled = (np.array(columns) / predicted).T
    draws = _bounded(law, scaled, 1 - offset / predicted + errors)
    rms = float(np.sqrt((residuals**2).mean()))
    return Fit(law, tuple(int(count) for count in counts), best, draws, rms)


def extrapolate(fitted: Fit, workers: Sequence[float] | Array) -> pd.DataFrame:
    """Columns workers, speedup, low and high: the law's curve and its 95 % interval at `workers`."""
    low, high = _interval(fitted.law.speedup(fitted.draws, workers))
    best = fitted.law.speedup(fitted.parameters, workers)
    return pd.DataFrame({"workers": workers, "speedup": best, "low": low, "high": high})


def karp_flatt(speedup: Any, workers: Any) -> Any:
    """The experimentally determined serial fraction e = (1/S - 1/P) / (1 - 1/P) (Karp and Flatt 1990).

    It grows with P where the loss is overhead and not a serial part; below 0 is superlinear.
    """
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


def _bounded(law: Law, columns: Array, targets: Any) -> Array:
    """Least squares with every parameter in [0, upper], for each of `targets`.

    Cutting at `upper` afterwards is exact for a law of one parameter, and only such laws have one.
    """
    fitted = np.array([nnls(columns, target)[0] for target in targets])
    return np.minimum(np.where(fitted < ROUNDING, 0.0, fitted), law.upper)


def _sizes(random: np.random.Generator, size: float, freedom: int) -> Array:
    return size * np.sqrt(freedom / random.chisquare(freedom, (DRAWS, 1)))


def _interval(draws: Array) -> Array:
    return np.percentile(draws, PERCENT, axis=0, method="inverted_cdf")  # no arithmetic: some are infinite
