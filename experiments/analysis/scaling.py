"""From trials to points: speedup and efficiency as the study defines them, with their spread.

A *point* is one row per (saving, strategy, workers[, width, height]). Its columns: `status`,
`repetitions` (ok trials) and `failures` (counts); `wall_s` (mean of the repetitions, as in
the study), `wall_s_min`, `wall_s_max`, `ideal_s` (seconds); the ratios (1.0 is 100 %), each with
its `_min` and `_max`: one repetition's time against the mean baseline. What was not measured or
has no baseline is NaN; failed and not applicable cells keep their row.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from augment.strategies import STRATEGIES
from augment.strategies.sequential import Sequential
from experiments.records.schema import FAILED, NOT_APPLICABLE, OK

STRONG = ("saving", "strategy", "workers")
WEAK = (*STRONG, "width", "height")
SAVERS = (*STRONG, "savers")


class NoTrialsError(ValueError):
    """There is nothing to report on."""


def strong(trials: pd.DataFrame, key: Sequence[str] = STRONG) -> pd.DataFrame:
    """Points of strong scaling: speedup S(P) = T(1) / T(P), efficiency E(P) = S(P) / P, ideal T(1) / P, where
    T(1) is the sequential mean with the same saving flag."""
    points = summarise(trials, key)
    base_s = points["saving"].map(_sequential(points, ["saving"]))
    points["ideal_s"] = base_s / points["workers"]
    _add_ratio(points, "speedup", base_s)
    _add_ratio(points, "efficiency", points["ideal_s"])
    return points


def weak(trials: pd.DataFrame) -> pd.DataFrame:
    """Points of weak scaling: efficiency = T(1) / T(P), ideal T(1), the study's definitions.

    T(1) is the sequential mean at the size of one worker, the smallest. Sequential trials at larger
    sizes are no points but references: their mean is `sequential_s` of the points at that size, and
    normalised_efficiency = sequential_s / (P T(P)) corrects for work that does not grow with pixels.
    """
    points = summarise(_sized(trials), WEAK)
    pixels = points["width"] * points["height"]
    least = pixels.groupby(points["saving"]).transform("min")
    base_s = points["saving"].map(_base(points[pixels == least]))
    points["ideal_s"] = base_s
    same_size = ["saving", "width", "height"]
    reference = _sequential(points, same_size).rename("sequential_s").reset_index()
    points = points.merge(reference, how="left", on=same_size)
    _add_ratio(points, "efficiency", base_s)
    _add_ratio(points, "normalised_efficiency", points["sequential_s"] / points["workers"])
    points = points[~(_is_sequential(points) & (pixels > least))].reset_index(drop=True)
    return points.astype({"width": "Int64", "height": "Int64"})


def summarise(trials: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """One row per `key`: status, counts and times. Equal keys are averaged: see `select`."""
    require(trials)
    status = trials["status"]
    marked = trials.assign(
        measured_s=trials["wall_s"].astype(float).where(status == OK),
        failure=status == FAILED,
        inapplicable=status == NOT_APPLICABLE,
    )
    points = marked.groupby(list(key), dropna=False, as_index=False).agg(
        repetitions=("measured_s", "count"),
        failures=("failure", "sum"),
        inapplicable=("inapplicable", "all"),
        wall_s=("measured_s", "mean"),
        wall_s_min=("measured_s", "min"),
        wall_s_max=("measured_s", "max"),
    )
    chosen = np.select([points["repetitions"] > 0, points["inapplicable"]], [OK, NOT_APPLICABLE], FAILED)
    points.insert(len(key), "status", chosen)
    return points.drop(columns="inapplicable")


def _add_ratio(points: pd.DataFrame, name: str, numerator_s: pd.Series) -> None:
    points[name] = numerator_s / points["wall_s"]
    points[f"{name}_min"] = numerator_s / points["wall_s_max"]
    points[f"{name}_max"] = numerator_s / points["wall_s_min"]


def _is_sequential(points: pd.DataFrame) -> pd.Series:
    return (points["strategy"] == Sequential.name) & (points["workers"] == 1)


def _sequential(points: pd.DataFrame, by: list[str]) -> pd.Series:
    """Mean seconds of the sequential strategy by `by`; what was not measured is absent."""
    return points[_is_sequential(points)].dropna(subset="wall_s").groupby(by)["wall_s"].mean()


def _base(smallest: pd.DataFrame) -> pd.Series:
    """T(1) by saving, of the points of the smallest size, unless that size belongs to more workers."""
    shared = (smallest["workers"] > 1).groupby(smallest["saving"]).any()
    base = _sequential(smallest, ["saving"])
    return base[~shared.reindex(base.index)]


def _sized(trials: pd.DataFrame) -> pd.DataFrame:
    """Gives trials that ended before they had a size that of the trials with as many workers, but for the
    sequential ones: with one worker they have every size."""
    sized = trials.astype({"width": float, "height": float})
    pixels = sized["width"] * sized["height"]
    curve = sized[(sized["workers"] > 1) | (pixels == pixels.min())]
    for name in ("width", "height"):
        by_workers = curve.groupby("workers")[name]
        only = by_workers.first()[by_workers.nunique() == 1]
        sized[name] = sized[name].where(_is_sequential(sized), sized[name].fillna(sized["workers"].map(only)))
    return sized


def strategies(points: pd.DataFrame) -> list[str]:
    """The strategies of the data in the order of STRATEGIES, then those that it does not know, by name."""
    present = set(points["strategy"])
    return [name for name in STRATEGIES if name in present] + sorted(present - set(STRATEGIES))


def require(trials: pd.DataFrame) -> None:
    """Raises NoTrialsError where there are none."""
    if trials.empty:
        raise NoTrialsError("no trials to report: run `make strong-scaling` first")
