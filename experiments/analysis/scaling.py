"""Points of scaling: speedup, efficiency and share of the ceiling, with their intervals.

A point is a row per key, such as (saving, strategy, workers). Its columns:

- `status` (the best of its trials), `rounds` (with an ok trial), `failures`;
- `peak_rss_bytes`, the mean;
- `wall_s`, the geometric mean in the mean of all rounds, and `images_per_s`, of augmented images;
- `ideal_s`, and as ratios `speedup`, `efficiency`, `normalised_efficiency` and `ceiling_share`;
- `serial_fraction` by Karp and Flatt 1990, `(1 / S - 1 / P) / (1 - 1 / P)`;
- `saving_ratio`, the time with saving over that without.

All but the counts and `ideal_s` have the ends of their 95 % interval in `_low` and `_high`, NaN after one
round. What was not measured or has no baseline is NaN. Copies count with their `model_s` (see `ceiling`), and
`ceiling_share` is that time over the strategy's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis.ceiling import with_model_seconds
from experiments.analysis.select import STRONG, WEAK, LeftOut, ok_trials, require, select
from experiments.analysis.statistics import UNKNOWN, BlockModel, Estimate, interval_columns
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK
from experiments.store.files import DetailReader

BASELINE: Any = {"strategy": Sequential.name, "workers": 1}
STATUS = pd.CategoricalDtype([NOT_APPLICABLE, FAILED, OK], ordered=True)
WORKLOAD = ["pipeline", "width", "height", "saving"]  # of a bench

Models = Mapping[bool, BlockModel]  # by saving flag
Key = tuple[Any, ...]  # the cell of a model: the values of a point's key columns, its saving flag first


def strong(trials: pd.DataFrame) -> pd.DataFrame:
    """Return points with speedup T(1) / T(P), efficiency and ideal_s; T(1) is sequential, saving alike."""
    points, fits = summarise(trials, STRONG)
    base = keys(points, STRONG, **BASELINE)
    points["ideal_s"] = _seconds(fits, base) / points["workers"]
    _add_ratio(points, fits, "speedup", STRONG, base)
    _add_ratio(points, fits, "efficiency", STRONG, base, 1 / points["workers"])
    share = 1 / points["workers"].where(points["workers"] > 1)
    inverse = 1 / points[["speedup", "speedup_high", "speedup_low"]]  # a larger speedup, a smaller fraction
    points[interval_columns("serial_fraction")] = inverse.sub(share, axis=0).div(1 - share, axis=0).to_numpy()
    _add_ceiling_share(points, fits, STRONG)
    ok = ok_trials(trials)
    model = BlockModel.of(ok, keys(ok, STRONG))  # of trials with saving and without
    pairs = zip(keys(points, STRONG), keys(points, STRONG, saving=False), strict=True)
    _add(points, "saving_ratio", [model.log_ratio(*pair) if pair[0][0] else UNKNOWN for pair in pairs])
    return points


def weak(trials: pd.DataFrame) -> pd.DataFrame:
    """Return points with efficiency and ideal_s by the study, `T(1) / T(P)` and `T(1)`.

    T(1) is the sequential time at the smallest size, that of one worker; it is unknown if more workers have
    that size too. Sequential trials at larger sizes are no points: their time is `sequential_s` of the points
    at that size. `normalised_efficiency = sequential_s / (P T(P))` holds if work does not grow with pixels.
    """
    points, fits = summarise(trials, WEAK)
    ordered = points.assign(pixels=points["width"] * points["height"]).sort_values("pixels")
    least = ordered.groupby("saving")[["width", "height"]].transform("first").sort_index()
    smallest = (points[["width", "height"]] == least).all(axis=1)
    ambiguous = points["saving"].isin(points.loc[smallest & (points["workers"] > 1), "saving"])
    base = keys(points, WEAK, **BASELINE, width=least["width"].mask(ambiguous), height=least["height"])
    reference = keys(points, WEAK, **BASELINE)
    points["ideal_s"], points["sequential_s"] = _seconds(fits, base), _seconds(fits, reference)
    _add_ratio(points, fits, "efficiency", WEAK, base)
    _add_ratio(points, fits, "normalised_efficiency", WEAK, reference, 1 / points["workers"])
    _add_ceiling_share(points, fits, WEAK)
    points = points[smallest | (points["strategy"] != Sequential.name)].reset_index(drop=True)
    return points.astype({"width": "Int64", "height": "Int64"})


def bench_points(
    trials: pd.DataFrame, parts: DetailReader
) -> tuple[pd.DataFrame, pd.DataFrame, list[LeftOut]]:
    """Return points by workload, strategy, worker count and runtime, their trials, and those left out.

    A point has the share of the ceiling under its runtime, and the last `error`. Raises NoTrialsError.
    """
    require(trials)
    key, blocks, of_blocks, left_out = [*STRONG, "runtime_name"], [], [], []
    for values, same in trials.groupby(WORKLOAD, sort=False, dropna=False):
        kept, others = select(same, (*STRONG, "runtime"))
        points, fits = summarise(rated := with_model_seconds(kept, parts), key)
        _add_ceiling_share(points, fits, key)
        points = points.join(rated.groupby(key)["error"].last(), on=key)
        workload: Any = dict(zip(WORKLOAD, values, strict=True))
        blocks.append(points.assign(**workload))
        of_blocks.append(kept)
        left_out += others
    return pd.concat(blocks, ignore_index=True), pd.concat(of_blocks), [*dict.fromkeys(left_out)]


def summarise(trials: pd.DataFrame, key: Sequence[str]) -> tuple[pd.DataFrame, Models]:
    """Return a row per value of `key` with status, counts, seconds and rate; and the models of the trials.

    Trials of equal keys are repetitions of each other: see `select`. The cells of a model are the `keys` of
    its ok trials. Raises NoTrialsError.
    """
    require(trials)
    blocks = {flag: ok_trials(trials[trials["saving"] == flag]) for flag in (True, False)}
    fits = {flag: BlockModel.of(block, keys(block, key)) for flag, block in blocks.items()}
    is_ok, rounds = trials["status"] == OK, list(zip(trials["sweep"], trials["round"], strict=True))
    marked = trials.assign(
        status=trials["status"].astype(STATUS),
        rounds=pd.Series(rounds, trials.index).where(is_ok),
        failures=trials["status"] == FAILED,
        peak_rss_bytes=trials["peak_rss_bytes"].where(is_ok),
    )
    points = marked.groupby(list(key), dropna=False, as_index=False).agg(
        {"status": "max", "rounds": "nunique", "failures": "sum", "tasks": "mean", "peak_rss_bytes": "mean"}
    )
    points = points.astype({"status": str})
    levels = [fits[cell[0]].log_seconds(cell) for cell in keys(points, key)]
    _add(points, "wall_s", levels)
    _add(points, "images_per_s", [level.inverse() for level in levels], points["tasks"])
    return points, fits


def keys(rows: pd.DataFrame, key: Sequence[str], **changes: Any) -> list[Key]:
    """Return the values of the key columns of each row, after these changes; None for a null."""
    values = rows.assign(**changes)[list(key)].astype(object)
    return [*values.where(values.notna(), None).itertuples(index=False, name=None)]


def _seconds(fits: Models, cells: Iterable[Key]) -> "pd.Series[float]":
    return pd.Series([fits[cell[0]].seconds(cell) for cell in cells], dtype=float)


def _add_ceiling_share(points: pd.DataFrame, fits: Models, key: Sequence[str]) -> None:
    _add_ratio(points, fits, "ceiling_share", key, keys(points, key, strategy=Copies.name))
    points.loc[points["strategy"] == Copies.name, interval_columns("ceiling_share")] = float("nan")


def _add_ratio(
    points: pd.DataFrame, fits: Models, name: str, key: Sequence[str], bases: Iterable[Key], times: Any = 1
) -> None:
    """Add `times` the seconds of the base over those of each point; NaN without a base."""
    pairs = zip(bases, keys(points, key), strict=True)
    _add(points, name, [fits[cell[0]].log_ratio(base, cell) for base, cell in pairs], times)


def _add(points: pd.DataFrame, name: str, estimates: Sequence[Estimate], times: Any = 1) -> None:
    intervals = pd.DataFrame([estimate.exp() for estimate in estimates], points.index)
    points[interval_columns(name)] = intervals.mul(times, axis=0)
