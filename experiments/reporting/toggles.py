"""Proof by toggles: how much time each policy gives back, changed one at a time in rounds."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from experiments.record import OK
from experiments.reporting.scaling import SEQUENTIAL, NoTrialsError
from experiments.reporting.tables import Table, plain_table

NONE = "none"
LEVEL = 0.95
TOGGLES = ("saving", "strategy", "workers", "toggle", "runtime")  # what tells its cells apart
POINT = ["strategy", "workers", "saving", "pipeline"]
NOTE = (
    f"Share of the time without the policy. Mean over the rounds, in each of which both were measured, "
    f"with its {LEVEL:.0%} interval (paired t of the log ratios)."
)


def recovered(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per point and toggle: `recovered` (share of the time), `low`, `high`, and
    `rounds`; the most first. With one round the interval is unknown (NaN). Raises NoTrialsError."""
    measured = trials[(trials["status"] == OK) & (trials["strategy"] != SEQUENTIAL)]
    times = measured.pivot_table(index=[*POINT, "repetition"], columns="toggle", values="wall_s")
    if NONE not in times:
        raise NoTrialsError("no trial with toggle=none to hold the others against: run `make toggles`")
    gains = times.drop(columns=NONE).rdiv(times[NONE], axis=0).map(math.log).stack()
    rows = [
        dict(zip([*POINT, "toggle"], point, strict=True)) | _interval(gain.to_numpy(float))
        for point, gain in gains.groupby([*POINT, "toggle"])
    ]
    return pd.DataFrame(rows).sort_values("recovered", ascending=False, ignore_index=True)


def _interval(gains: NDArray[np.float64]) -> dict[str, float]:
    """Mean and interval of the gains, as shares of the time without the policy."""
    mean, half = float(gains.mean()), math.nan
    if len(gains) > 1:
        half = float(stats.sem(gains) * stats.t.ppf((1 + LEVEL) / 2, len(gains) - 1))
    shares = {"recovered": mean, "low": mean - half, "high": mean + half}
    return {name: -math.expm1(-gain) for name, gain in shares.items()} | {"rounds": len(gains)}


def toggles_table(trials: pd.DataFrame) -> Table:
    """The toggles by what they give back, with the word that the interval allows."""
    data = recovered(trials)
    shown = data[[*POINT, "toggle", "rounds"]].copy()
    rows = data.to_dict("records")
    shown["time given back"] = [
        f"{row['recovered']:+.0%} ({row['low']:+.0%} to {row['high']:+.0%})" for row in rows
    ]
    shown["so"] = [_word(row["low"], row["high"]) for row in rows]
    return plain_table("Toggles", data, [NOTE], shown)


def _word(low: float, high: float) -> str:
    return "gives time back" if low > 0 else "costs time" if high < 0 else "no difference"
