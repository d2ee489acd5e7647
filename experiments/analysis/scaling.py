"""From trials to points: speedup, efficiency and share of the ceiling, with their intervals.

A *point* is one row per (saving, strategy, workers[, width, height]). Its columns: `status`, `repetitions`
(ok trials), `rounds` (in which these were measured) and `failures`; `wall_s` (seconds, geometric mean, in the
mean of all rounds) and `ideal_s`; `images_per_s`, augmented ones; the ratios (1.0 is 100 %). wall_s, the rate
and the ratios have the ends of their 95 % interval in `_low` and `_high` (see `statistics`), NaN after one
round. What was not measured or has no baseline is NaN; failed and not applicable cells keep their row.
`copies` count with the time that their rate gives (see `ceiling`); `ceiling_share` is that time over the
strategy's."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import pandas as pd

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis.select import STRONG, WEAK, place, require
from experiments.analysis.statistics import BlockModel, Estimate, interval_columns
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK

BASELINE: Any = {"strategy": Sequential.name, "workers": 1}  # what others are held against
STATUS = pd.CategoricalDtype([NOT_APPLICABLE, FAILED, OK], ordered=True)  # a point has the last of its trials


Models = Mapping[bool, BlockModel]  # by saving flag


def strong(trials: pd.DataFrame) -> pd.DataFrame:
    """Points of strong scaling: speedup S(P) = T(1) / T(P), efficiency E(P) = S(P) / P, ideal T(1) / P, where
    T(1) is the sequential time with the same saving flag."""
    points, fits = summarise(trials, STRONG)
    base = _with(points, STRONG, **BASELINE)
    points["ideal_s"] = base.map(points["wall_s"]) / points["workers"]
    _add_ratio(points, fits, "speedup", base)
    _add_ratio(points, fits, "efficiency", base, points["workers"])
    _add_ratio(points, fits, "ceiling_share", _ceiling(points, STRONG))
    return points


def weak(trials: pd.DataFrame) -> pd.DataFrame:
    """Points of weak scaling: efficiency = T(1) / T(P), ideal T(1), the study's definitions.

    T(1) is the sequential time at the size of one worker, the smallest; unknown where more workers have that
    size too. Sequential trials at larger sizes are no points but references: their time is `sequential_s` of
    the points at that size, and normalised_efficiency = sequential_s / (P T(P)) corrects for work that does
    not grow with pixels."""
    points, fits = summarise(trials, WEAK)
    ordered = points.assign(pixels=points["width"] * points["height"]).sort_values("pixels")
    least = ordered.groupby("saving")[["width", "height"]].transform("first").sort_index()
    smallest = (points[["width", "height"]] == least).all(axis=1)
    base = _with(points, WEAK, **BASELINE, width=least["width"], height=least["height"])
    base = base.mask(points["saving"].isin(points.loc[smallest & (points["workers"] > 1), "saving"]))
    reference = _with(points, WEAK, **BASELINE)
    points["ideal_s"], points["sequential_s"] = base.map(points["wall_s"]), reference.map(points["wall_s"])
    _add_ratio(points, fits, "efficiency", base)
    _add_ratio(points, fits, "normalised_efficiency", reference, points["workers"])
    _add_ratio(points, fits, "ceiling_share", _ceiling(points, WEAK))
    points = points[smallest | (points["strategy"] != Sequential.name)].reset_index(drop=True)
    return points.astype({"width": "Int64", "height": "Int64"})


def ceiling_shares(trials: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the points with these values of `key`, and their share of the ceiling."""
    points, fits = summarise(trials, key)
    _add_ratio(points, fits, "ceiling_share", _ceiling(points, key))
    return points


def models(trials: pd.DataFrame, key: Sequence[str] = STRONG) -> Models:
    """The fit to the ok trials with and to those without saving; what it calls cells are the values of `key`,
    numbered in their order. Raises NoTrialsError."""
    require(trials)
    numbers, ok = trials.groupby(list(key), dropna=False).ngroup(), trials["status"] == OK
    blocks = {flag: trials[ok & (trials["saving"] == flag)] for flag in (True, False)}
    return {flag: BlockModel.of(block, list(numbers[block.index])) for flag, block in blocks.items()}


def summarise(trials: pd.DataFrame, key: Sequence[str]) -> tuple[pd.DataFrame, Models]:
    """One row per `key`: status, counts and seconds, and `point`, its number in the `models` of that key; and
    these. Trials of equal keys are repetitions of each other: see `select`. Raises NoTrialsError."""
    fits, ok = models(trials, key), trials["status"] == OK
    rounds = pd.Series(list(zip(trials["sweep"], trials["round"], strict=True)), trials.index)
    marked = trials.assign(status=trials["status"].astype(STATUS), ok=ok, measured=rounds.where(ok))
    marked["failed"] = marked["status"] == FAILED
    points = marked.groupby(list(key), dropna=False, as_index=False).agg(
        status=("status", "max"),
        repetitions=("ok", "sum"),
        rounds=("measured", "nunique"),
        failures=("failed", "sum"),
        tasks=("tasks", "mean"),
    )
    points = points.astype({"status": str}).assign(point=points.index)
    levels = [fits[flag].log_seconds(point) for point, flag in enumerate(points["saving"])]
    _add(points, "wall_s", levels)
    rates = [level.inverse().exp() for level in levels]
    points[interval_columns("images_per_s")] = pd.DataFrame(rates, points.index).mul(points["tasks"], axis=0)
    return points, fits


def _add_ratio(points: pd.DataFrame, fits: Models, name: str, base: "pd.Series[float]", by: Any = 1) -> None:
    """Seconds of the point that `base` numbers (NaN: none) over those of each point, divided `by`."""
    rows = zip(points["saving"], base, points["point"], strict=True)
    _add(points, name, [fits[flag].log_ratio(other, point) for flag, other, point in rows], by)
    points[f"{name}_base"] = base


def _add(points: pd.DataFrame, name: str, estimates: Sequence[Estimate], by: Any = 1) -> None:
    intervals = pd.DataFrame([each.exp() for each in estimates], points.index)
    points[interval_columns(name)] = intervals.div(by, axis=0)


def _with(points: pd.DataFrame, key: Sequence[str], **changes: Any) -> "pd.Series[float]":
    """The number of the point that has these values and else the same `key`, for each point; NaN where it
    was not measured."""
    numbers = points[points["status"] == OK].set_index(list(key))["point"].to_dict()
    rows = points.assign(**changes)[list(key)].itertuples(index=False, name=None)
    return pd.Series([numbers.get(row, nan) for row in rows], points.index)


def _ceiling(points: pd.DataFrame, key: Sequence[str]) -> "pd.Series[float]":
    return _with(points, key, strategy=Copies.name).mask(points["strategy"] == Copies.name)


def public(points: pd.DataFrame) -> pd.DataFrame:
    """Without the numbers of points, which mean something together with `models` only."""
    numbers = [name for name in points if name == "point" or str(name).endswith("_base")]
    return points.drop(columns=numbers)


def strategies(points: pd.DataFrame) -> list[str]:
    """The strategies of the data in the order of STRATEGIES, then those that it does not know, by name."""
    return sorted(set(points["strategy"]), key=place)
