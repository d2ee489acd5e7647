"""The account regrouped by what can be done about it, with intervals.

P T = reference + LOSSES + drift. What a strategy does to bring pixels to its tasks is no work of the
tasks: reading beyond the reference's (P_2) and `send` (P_Q) go from the extras to coordination.

Extra user CPU compares trials that are minutes apart, and a machine's speed shifts meanwhile. Its
standard deviation is the inflating seconds times sqrt(s² (1/n + 1/n') + k²): s that of a trial's level
about its cell's mean, pooled over all cells and at least SHIFT, n and n' repetitions here and in the
reference, k the logarithm by which the fixed kernel's time changed. The same work in turns, alone and in
company, tells the inflation free of such shifts (see `company`), and one worker has no company. Where the
two agree within AGREE standard deviations, they are averaged by their variances, and what is left of the
extra is drift: the machine's, between trials, and nothing of the strategy.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.account import COORDINATION
from experiments.analysis.ceilings import Inflation, inflation
from experiments.analysis.company import WORKLOAD
from experiments.analysis.scaling import STRONG
from experiments.analysis.statistics import PERCENT, SAMPLES, resampled

EXTRA = ["user", "system", "wait", "blocked"]
LOSSES = ("imbalance", "coordination", *EXTRA)
WHOLE = ("whole_system", "whole_blocked")
SHIFT = 0.03  # standard deviation of a run's level that repetitions do not show (see statistics.FLOOR)
AGREE = 2.0
ALONE = Inflation(1.0, 1.0, 1.0, np.ones(SAMPLES))  # what company costs where there is none
COLUMNS = ("total_s", "reference_s", "inflating_s", *LOSSES, "drift", *WHOLE)


def losses(accounts: pd.DataFrame) -> pd.DataFrame:
    """LOSSES in worker-seconds for each account; their sum is total_s - reference_s, drift not yet
    told apart.

    `send` waits for a socket most of the time: it is taken from what is blocked as far as that goes,
    then from system and at last from user CPU. `inflating_s` is the reference's user CPU without reading:
    what the extra user CPU is an inflation of; WHOLE are system CPU and blocked with the reference's part."""
    reading, sending = accounts["extra_reading_s"], accounts["sending_s"]
    split = pd.DataFrame({name: accounts[f"extra_{name}_s"] for name in EXTRA})
    split["user"] -= reading
    split["imbalance"] = accounts["imbalance_s"]
    split["coordination"] = accounts[list(COORDINATION)].sum(axis=1) + reading + sending
    for name in ("blocked", "system"):
        taken = np.minimum(sending, split[name].clip(lower=0))
        split[name] -= taken
        split[f"whole_{name}"] = accounts[f"{name}_s"] - taken
        sending = sending - taken
    split["user"] -= sending
    split["inflating_s"] = accounts["reference_user_s"] - accounts["reference_reading_s"]
    split = split.assign(drift=0.0, total_s=accounts["total_s"], reference_s=accounts["reference_s"])
    return split[list(COLUMNS)]


@dataclass(frozen=True, eq=False)
class Point:
    """One strategy at one worker count: means over its repetitions, and samples of them."""

    saving: bool
    strategy: str
    workers: int
    accounts: pd.DataFrame  # of its repetitions
    mean: pd.Series  # LOSSES, total_s, reference_s, inflating_s
    samples: pd.DataFrame  # the same, resampled; the mean alone where nothing was repeated

    def average(self, column: str) -> float:
        """The mean of a column of the accounts; NaN where it is unknown."""
        return float(self.accounts[column].astype(float).mean())

    def share(self, *names: str) -> tuple[float, float, float]:
        """What these losses together take of P T, with a 95 % interval (NaN without repetitions)."""
        middle = float(self.mean[list(names)].sum() / self.mean["total_s"])
        if len(self.samples) == 1:
            return middle, float("nan"), float("nan")
        shares = self.samples[list(names)].sum(axis=1) / self.samples["total_s"]
        low, high = np.percentile(shares, PERCENT)
        return middle, float(low), float(high)


def points(accounts: pd.DataFrame, inflations: pd.DataFrame) -> list[Point]:
    """Every point of the accounts, sequential included, with its repetitions resampled and those of its
    reference, whose accounts tell how far each repetition is from their mean."""
    split, level = losses(accounts), unsteadiness(accounts)
    points = []
    for key, block in accounts.groupby(list(STRONG)):
        saving, strategy, workers = cast("tuple[bool, str, int]", key)
        sequential = accounts[(accounts["saving"] == saving) & (accounts["strategy"] == Sequential.name)]
        rows = split.loc[block.index]
        mean, samples = rows.mean(), _samples(rows, split.loc[sequential.index])
        clock = np.nan_to_num(np.log(block["kernel_s"].mean() / sequential["kernel_s"].mean()))
        shift = float(np.sqrt(level**2 * (1 / len(block) + 1 / len(sequential)) + clock**2))
        in_turns = inflation(inflations, WORKLOAD, workers, "user", saving)
        _tell_drift(mean, samples, shift, ALONE if workers == 1 else in_turns)
        points.append(Point(saving, strategy, workers, block, mean, samples))
    return points


def unsteadiness(accounts: pd.DataFrame) -> float:
    """Standard deviation of the logarithm of a trial's user CPU about its point's mean."""
    logs = np.log(accounts["user_s"].clip(lower=1e-9))
    groups = logs.groupby([accounts[name] for name in STRONG])
    dof = len(logs) - groups.ngroups
    apart = logs - groups.transform("mean")
    return max(SHIFT, float(np.sqrt((apart**2).sum() / dof))) if dof else SHIFT


def _tell_drift(mean: pd.Series, samples: pd.DataFrame, shift: float, in_turns: Inflation | None) -> None:
    """Spreads the samples of the extra user CPU, and moves what is drift of it there."""
    random = np.random.default_rng(1)
    inflating_s = float(mean["inflating_s"])
    extra_s, deviation_s = float(mean["user"]), inflating_s * shift
    if len(samples) > 1:
        samples["user"] += deviation_s * random.normal(size=len(samples))
    if in_turns is None or not deviation_s:
        return
    in_turns_s = inflating_s * (in_turns.value - 1)
    in_turns_deviation_s = inflating_s * float(in_turns.samples.std())
    if abs(extra_s - in_turns_s) > AGREE * np.hypot(deviation_s, in_turns_deviation_s):
        return
    weight = deviation_s**2 / (deviation_s**2 + in_turns_deviation_s**2)
    mean["user"] = extra_s + weight * (in_turns_s - extra_s)
    mean["drift"] = extra_s - mean["user"]
    if len(samples) > 1:
        user = samples["user"] + weight * (inflating_s * (in_turns.samples - 1) - samples["user"])
        samples["drift"], samples["user"] = samples["user"] - user, user


def _samples(rows: pd.DataFrame, sequential: pd.DataFrame) -> pd.DataFrame:
    if len(rows) == 1:
        return rows.reset_index(drop=True)
    random = np.random.default_rng(0)
    samples = pd.DataFrame(resampled(random, rows), columns=rows.columns)
    off: Any = resampled(random, sequential[EXTRA])
    samples[EXTRA] -= off
    samples["reference_s"] += off.sum(axis=1)
    samples["inflating_s"] += off[:, EXTRA.index("user")]
    return samples
