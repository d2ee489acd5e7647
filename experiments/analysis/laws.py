"""Two laws of scaling fitted to speedups: what each says of a serial part and of a peak.

    Amdahl 1967:        1 / S = 1 / P + s (1 - 1 / P)
    USL, Gunther 1993:  1 / S = 1 / P + sigma (1 - 1 / P) + kappa (P - 1)

In 1 / S both are linear in parameters that are never negative, so least squares has a single minimum.
Residuals are relative, because in seconds the smallest worker counts would outweigh all others.
"""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import nnls
from scipy.stats import multivariate_t

from augment.strategies.sequential import Sequential
from experiments.analysis.scaling import BASELINE, keys, models, strategies, strong
from experiments.analysis.select import INSTRUMENTS, STRONG
from experiments.analysis.statistics import LEVEL, Array, Interval

MIN_COUNTS = 5  # worker counts of a fit: three more than USL has parameters
PASSES = 10  # of weighing the residuals by the last prediction; a good fit stands still after two
SAMPLES = 1000  # of a bootstrap
MISFIT = "off by"  # the root mean square of the relative residuals
COLUMNS = ["saving", "strategy", "workers", "law", "quantity", "value", "low", "high"]


class Law(NamedTuple):
    """A law `1 / S = 1 / P + parameters @ terms(P)`."""

    name: str
    terms: Callable[[Array], list[Array]]  # of the workers P
    parameters: list[str]
    max_parameter: float


AMDAHL = Law("Amdahl", lambda p: [1 - 1 / p], ["s"], 1.0)
USL = Law("USL", lambda p: [1 - 1 / p, p - 1], ["sigma", "kappa"], np.inf)


class Fit(NamedTuple):
    """A law fitted to speedups at some worker counts."""

    law: Law
    parameters: Array  # a row of the fit, then one per sample of the bootstrap
    rms_residual: float  # relative

    def results(self) -> dict[str, Interval]:
        """Return the parameters, the peak of USL, and the MISFIT."""
        values = dict(zip(self.law.parameters, self.parameters.T, strict=True))
        values |= _peak(**values) if self.law is USL else {}
        intervals = {name: _interval(samples) for name, samples in values.items()}
        return intervals | {MISFIT: Interval(self.rms_residual, np.nan, np.nan)}


def _peak(sigma: Array, kappa: Array) -> dict[str, Array]:
    """Return the peak: at 1 worker if speedup falls from the start, at infinity if it never falls."""
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
    """Fit a law to speedups at ascending counts above 1, with a parametric bootstrap for the intervals.

    `covariance` is that of the logarithms of the speedups, NaN if unknown; `dof` its degrees of freedom. The
    bootstrap draws errors of this covariance and, if the law misses the points by more, of the size of its
    residuals; by Student's t, because both sizes are known from a few values only.
    """
    counts, measured = np.asarray(workers, float), np.reciprocal(np.asarray(speedup, float))
    first, columns, predicted = 1 / counts, np.array(law.terms(counts)).T, measured
    for _ in range(PASSES):
        solution, _norm = nnls(columns / predicted[:, None], (measured - first) / predicted)
        best = np.minimum(solution, law.max_parameter)  # exact: a law with a maximum has one parameter
        predicted = first + columns @ best
    squares, left = (measured / predicted - 1) ** 2, len(counts) - len(best)
    known, random = np.nan_to_num(covariance), np.random.default_rng(0)
    misfit = max(squares.sum() / left - np.diag(known).mean(), 0.0) * np.eye(len(counts))
    errors = multivariate_t.rvs(None, known, max(dof, 1), SAMPLES, random)
    errors = errors + multivariate_t.rvs(None, misfit, left, SAMPLES, random)
    samples = [nnls(columns / predicted[:, None], target)[0] for target in 1 - first / predicted + errors]
    parameters = np.minimum([best, *samples], law.max_parameter)
    return Fit(law, parameters, float(np.sqrt(squares.mean())))


def fit_laws(trials: pd.DataFrame, cpus: float = np.inf) -> pd.DataFrame:
    """Return COLUMNS of the laws fitted to the speedups of trials, as `strong` has them.

    Each strategy but instruments has its own. A law assumes a CPU per worker, so only counts up to `cpus` are
    fitted, if there are MIN_COUNTS of them.
    """
    points, fits = strong(trials), models(trials)
    is_other = points["strategy"].isin([Sequential.name, *INSTRUMENTS])
    curves = points[points["workers"].between(2, cpus) & ~is_other].dropna(subset="speedup")
    rows: list[list[Any]] = []
    for saving, strategy in product((True, False), strategies(curves)):
        known = curves[(curves["saving"] == saving) & (curves["strategy"] == strategy)]
        if len(known) >= MIN_COUNTS:
            known = known.sort_values("workers")
            pairs = [*zip(keys(known, STRONG, **BASELINE), keys(known, STRONG), strict=True)]
            errors = fits[saving].covariance(pairs), fits[saving].dof
            counts = ", ".join(known["workers"].astype(str))
            for law in (AMDAHL, USL):
                results = fit(law, known["workers"], known["speedup"], *errors).results()
                rows += [[saving, strategy, counts, law.name, each, *results[each]] for each in results]
    return pd.DataFrame(rows, columns=COLUMNS)
