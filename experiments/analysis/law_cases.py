"""What a law is fitted to: the speedups of one strategy where each worker has a CPU, and their spread."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.laws import AMDAHL, GUSTAFSON, MIN_COUNTS, USL, Fit, fit
from experiments.analysis.scaling import strategies

STRONG_MEASURE = "speedup"
WEAK_MEASURES = ("normalised_efficiency", "efficiency")  # the first that is known often enough
BEYOND = 4  # times the largest measured count: how far laws are extrapolated


@dataclass(frozen=True, eq=False)
class Case:
    """One strategy with one saving flag: its speedups beyond one worker and the laws fitted to them."""

    saving: bool
    strategy: str
    points: pd.DataFrame  # with the `speedup` that the laws speak of, scaled in weak scaling
    measure: str  # the column of the points that it comes from
    fits: list[Fit]

    def horizon(self, fit: Fit) -> int:
        """The largest count that a fit is drawn to: beyond what was measured only if it describes that."""
        largest = int(self.points["workers"].max())
        return max(fit.workers) if fit.poor else BEYOND * largest


def cases(points: pd.DataFrame, usable_cpus: int | None = None) -> list[Case]:
    """The laws that apply to the points of `strong` or `weak`, for each strategy but the sequential.

    The laws assume a CPU per worker: points with more workers than `usable_cpus` are left out of the
    fit if MIN_COUNTS counts remain.
    """
    blocks = [points[points["saving"] == saving] for saving in (True, False)]
    pairs = [(block, strategy) for block in blocks for strategy in strategies(block)]
    return [_case(*pair, usable_cpus) for pair in pairs if pair[1] != Sequential.name]


def _case(block: pd.DataFrame, strategy: str, cpus: int | None) -> Case:
    baseline = block[block["strategy"] == Sequential.name]
    curve, measure = _speedups(block[(block["strategy"] == strategy) & (block["workers"] > 1)])
    known = curve.dropna(subset="speedup").sort_values("workers")
    within = known if cpus is None else known[known["workers"] <= cpus]
    used = within if len(within) >= MIN_COUNTS else known
    spread, dof = relative_spread(pd.concat([baseline, used]))
    laws = (AMDAHL, USL) if measure == STRONG_MEASURE else (GUSTAFSON,)
    tried = [fit(law, used["workers"], used["speedup"], spread, dof) for law in laws]
    return Case(
        bool(block["saving"].iloc[0]),
        strategy,
        known,
        measure,
        [fitted for fitted in tried if fitted is not None],
    )


def _speedups(points: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The scaled speedup of weak scaling is P times an efficiency: if it can be the work-normalised
    one, which is free of the work that does not grow with pixels. The two are never mixed."""
    if STRONG_MEASURE in points:
        return points, STRONG_MEASURE
    normalised, study = WEAK_MEASURES
    measure = normalised if points[normalised].count() >= MIN_COUNTS else study
    names = {f"speedup{end}": points[f"{measure}{end}"] * points["workers"] for end in ("", "_min", "_max")}
    return points.assign(**names), measure


def relative_spread(points: pd.DataFrame) -> tuple[float, int]:
    """Relative standard error of a mean time, pooled, and its degrees of freedom; 0 if unknown.

    The standard deviation of a few values is about their range / sqrt(n); of two, exactly so.
    """
    known = points[(points["repetitions"] > 1) & points["wall_s_min"].notna()]
    if known.empty:
        return 0.0, 1
    relative = (known["wall_s_max"] - known["wall_s_min"]) / known["repetitions"] / known["wall_s"]
    return float(np.sqrt((relative**2).mean())), int((known["repetitions"] - 1).sum())
