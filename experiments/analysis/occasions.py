"""The difference of the machine's speed between occasions.

Trials of one occasion share the machine's state: its clock, its neighbours on the host, where pages lie.
A pause of an hour ends an occasion.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from experiments.analysis.statistics import Estimate, summed

PAUSE = pd.Timedelta(hours=1)
PRIOR, PRIOR_DOF = 0.05, 8  # a standard deviation of log seconds, believed like that of nine occasions


class Occasions(NamedTuple):
    """The variance of an occasion's effect on the logarithm of seconds, and its degrees of freedom."""

    variance: float
    dof: float

    def widen(self, estimate: Estimate, times: float) -> Estimate:
        """Return an estimate to whose variance so many times that of an occasion is added."""
        variances = np.array([estimate.error**2, times * self.variance])
        return summed(estimate.value, variances, np.array([estimate.dof, self.dof]))


UNSEEN = Occasions(PRIOR**2, PRIOR_DOF)


def numbered(trials: pd.DataFrame) -> "pd.Series[int]":
    """Return the number of the occasion of each trial."""
    ordered = trials.sort_values("started_at")
    ends = ordered["started_at"] + pd.to_timedelta(ordered["wall_s"].fillna(0), unit="s")
    begins = ordered["started_at"] - ends.cummax().shift() > PAUSE
    return begins.astype(int).cumsum().reindex(trials.index)


def between(trials: pd.DataFrame, cells: Sequence[Hashable], logs: ArrayLike) -> Occasions:
    """Return what occasions differ by: the prior, and what the cells show that several of them measured."""
    measured = pd.DataFrame({"cell": cells, "occasion": numbered(trials).to_numpy(), "log": logs})
    means = measured.groupby(["cell", "occasion"])["log"].mean().unstack()
    means = means[means.count(axis=1) > 1]
    effects = means.sub(means.mean(axis=1), axis=0).mean().dropna()
    shown = max(len(effects) - 1, 0)
    dof = PRIOR_DOF + shown
    return Occasions((PRIOR_DOF * PRIOR**2 + float((effects**2).sum())) / dof, dof)
