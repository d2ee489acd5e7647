"""From trials to points: speedup and efficiency as the study defines them, with their spread.

A *point* is one row per (saving, strategy, workers[, width, height]). Its columns: `status`,
`repetitions` (measured ones) and `failures` (counts); `wall_s` (mean of the repetitions, as in
the study), `wall_s_min`, `wall_s_max`, `ideal_s` (seconds); the ratios (1.0 is 100 %), each with
its `_min` and `_max`: one repetition's time against the mean baseline. What was not measured or
has no baseline is NaN; failed and not applicable cells keep their row.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.records.schema import FAILED, NOT_APPLICABLE, OK

SEQUENTIAL = "sequential"
STRONG = ("saving", "strategy", "workers")
WEAK = (*STRONG, "width", "height")
SAVERS = (*STRONG, "savers")

COMPARED = (
    *("machine", "protocol", "dataset", "dataset_options", "pipeline_digest", "n_augmentations", "seed"),
    *("runtime", "code_digest", "numpy_version", "opencv_version", "albumentations_version"),
    *("trace", "profile", "n_images", "width", "height"),
)
NULLABLE = ("n_images", "width", "height")  # unknown to a trial that failed early


class NoTrialsError(ValueError):
    """There is nothing to report on."""


def strong(trials: pd.DataFrame, key: Sequence[str] = STRONG) -> pd.DataFrame:
    """Points of strong scaling: speedup S(P) = T(1) / T(P), efficiency E(P) = S(P) / P, ideal T(1) / P.

    T(1) is the sequential mean with the same saving flag. `key` may name further columns that
    tell points apart, such as `savers`.
    """
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
    base_s = points["saving"].map(_base(points))
    points["ideal_s"] = base_s
    same_size = ["saving", "width", "height"]
    reference = _sequential(points, same_size).rename("sequential_s").reset_index()
    points = points.merge(reference, how="left", on=same_size)
    _add_ratio(points, "efficiency", base_s)
    _add_ratio(points, "normalised_efficiency", points["sequential_s"] / points["workers"])
    pixels = points["width"] * points["height"]
    larger = pixels > pixels.groupby(points["saving"]).transform("min")
    points = points[~(_is_sequential(points) & larger)].reset_index(drop=True)
    return points.astype({"width": "Int64", "height": "Int64"})


def newest_comparable(trials: pd.DataFrame, key: Sequence[str] = STRONG) -> tuple[pd.DataFrame, str | None]:
    """The trials that may stand in one table with the newest, and one line on what was left out.

    Kept is what agrees with the newest trial in every COMPARED column that is not part of `key`
    (a null agrees with anything), of each point the newest cell, and of each repetition the latest.
    """
    _require(trials)
    ordered = trials.sort_values("started_at", kind="stable")
    columns = [name for name in COMPARED if name not in key]
    kept = ordered
    for name in sorted(columns, key=lambda name: name in NULLABLE):
        known = kept[name].dropna()
        if not known.empty:
            kept = kept[kept[name].isna() | (kept[name] == known.iloc[-1])]
    notes = _left_out(ordered.drop(kept.index), kept, columns)

    newest = kept.groupby(list(key))["cell"].transform("last").fillna(kept["cell"])  # no point, no rival
    if other := int((kept["cell"] != newest).sum()):
        notes.append(f"{_count(other)} of older cells at the same point left out")
    kept = kept[kept["cell"] == newest]
    if repeated := int(kept.duplicated(["cell", "repetition"], keep="last").sum()):
        notes.append(f"{_count(repeated)} superseded by a later one of the same cell and repetition")
    kept = kept.drop_duplicates(["cell", "repetition"], keep="last")
    return kept.reset_index(drop=True), "; ".join(notes) or None


def _left_out(left: pd.DataFrame, kept: pd.DataFrame, columns: list[str]) -> list[str]:
    if left.empty:
        return []
    differing = [name for name in columns if not set(left[name].dropna()) <= set(kept[name].dropna())]
    return [f"{_count(len(left))} left out that differ from the newest in {', '.join(differing)}"]


def summarise(trials: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """One row per `key`: status, counts and times. Equal keys are averaged: see `newest_comparable`."""
    _require(trials)
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
    return (points["strategy"] == SEQUENTIAL) & (points["workers"] == 1)


def _sequential(points: pd.DataFrame, by: list[str]) -> pd.Series:
    """Mean seconds of the sequential strategy by `by`; what was not measured is absent."""
    return points[_is_sequential(points)].dropna(subset="wall_s").groupby(by)["wall_s"].mean()


def _base(points: pd.DataFrame) -> pd.Series:
    """T(1) by saving: sequential at the smallest size, unless that size belongs to more workers."""
    pixels = points["width"] * points["height"]
    smallest = points[pixels == pixels.groupby(points["saving"]).transform("min")]
    shared = (smallest["workers"] > 1).groupby(smallest["saving"]).any()
    base = _sequential(smallest, ["saving"])
    return base[~shared.reindex(base.index)]


def _sized(trials: pd.DataFrame) -> pd.DataFrame:
    """Gives trials that ended before they had a size that of the trials with as many workers.

    Not the sequential ones: with one worker they have every size.
    """
    sized = trials.astype({"width": float, "height": float})
    pixels = sized["width"] * sized["height"]
    curve = sized[(sized["workers"] > 1) | (pixels == pixels.min())]
    for name in ("width", "height"):
        by_workers = curve.groupby("workers")[name]
        only = by_workers.first()[by_workers.nunique() == 1]
        sized[name] = sized[name].where(_is_sequential(sized), sized[name].fillna(sized["workers"].map(only)))
    return sized


def _count(number: int) -> str:
    return f"{number} trial{'s' if number > 1 else ''}"


def _require(trials: pd.DataFrame) -> None:
    if trials.empty:
        raise NoTrialsError("no trials to report: run `make strong-scaling` first")
