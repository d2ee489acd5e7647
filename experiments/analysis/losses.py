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

from experiments.analysis.account import COORDINATION, EXTRAS
from experiments.analysis.ceilings import DRAWS, PERCENT, Inflation, inflation, resampled
from experiments.analysis.company import WORKLOAD
from experiments.analysis.scaling import SEQUENTIAL

LOSSES = ("imbalance", "coordination", "user", "system", "wait", "blocked")
WHOLE = ("whole_system", "whole_blocked")
SHIFT = 0.03  # standard deviation of a run's level that repetitions do not show (see difference.FLOOR)
AGREE = 2.0
ALONE = Inflation(1.0, 1.0, 1.0, np.ones(DRAWS))  # what company costs where there is none
_ROW = ("total_s", "reference_s", "inflating_s", *LOSSES, "drift", *WHOLE)


def losses(accounts: pd.DataFrame) -> pd.DataFrame:
    """LOSSES in worker-seconds for each account; their sum is total_s - reference_s, drift not yet
    told apart.

    `send` waits for a socket most of the time: it is taken from what is blocked as far as that goes,
    then from system and at last from user CPU. `inflating_s` is the reference's user CPU without reading:
    what the extra user CPU is an inflation of; WHOLE are system CPU and blocked with the reference's part."""
    reading, left = accounts["extra_reading_s"], accounts["sending_s"]
    made = pd.DataFrame({name: accounts[f"extra_{name}_s"] for name in ("user", "system", "wait", "blocked")})
    made["user"] -= reading
    made["imbalance"] = accounts["imbalance_s"]
    made["coordination"] = accounts[list(COORDINATION)].sum(axis=1) + reading + left
    for name in ("blocked", "system"):
        taken = np.minimum(left, made[name].clip(lower=0))
        made[name] -= taken
        made[f"whole_{name}"] = accounts[f"{name}_s"] - taken
        left = left - taken
    made["user"] -= left
    made["inflating_s"] = accounts["reference_user_s"] - accounts["reference_reading_s"]
    return made.assign(drift=0.0, total_s=accounts["total_s"], reference_s=accounts["reference_s"])[
        list(_ROW)
    ]


@dataclass(frozen=True, eq=False)
class Cell:
    """One strategy at one worker count: means over its repetitions, and draws of them."""

    accounts: pd.DataFrame  # of its repetitions
    mean: pd.Series  # LOSSES, total_s, reference_s, inflating_s
    draws: pd.DataFrame  # the same, resampled; the mean alone where nothing was repeated

    @property
    def saving(self) -> bool:
        return bool(self.accounts["saving"].iloc[0])

    @property
    def strategy(self) -> str:
        return str(self.accounts["strategy"].iloc[0])

    @property
    def workers(self) -> int:
        return int(self.accounts["workers"].iloc[0])

    def average(self, column: str) -> float:
        """The mean of a column of the accounts; NaN where it is unknown."""
        return float(self.accounts[column].astype(float).mean())

    def share(self, *names: str) -> tuple[float, float, float]:
        """What these losses together take of P T, with a 95 % interval (NaN without repetitions)."""
        middle = float(self.mean[list(names)].sum() / self.mean["total_s"])
        if len(self.draws) == 1:
            return middle, float("nan"), float("nan")
        drawn = self.draws[list(names)].sum(axis=1) / self.draws["total_s"]
        low, high = np.percentile(drawn, PERCENT)
        return middle, float(low), float(high)

    @property
    def wait_known(self) -> bool:
        """Whether run-queue wait was recorded; where it was not, it counts as blocked."""
        return bool(self.accounts["wait_known"].all())


def cells(accounts: pd.DataFrame, inflations: pd.DataFrame) -> list[Cell]:
    """Every point of the accounts, sequential included, with its own repetitions resampled and those
    of its reference, whose accounts tell how far each repetition is from their mean."""
    split, level = losses(accounts), unsteadiness(accounts)
    found = []
    for point, own in accounts.groupby(["saving", "strategy", "workers"]):
        saving, _, workers = cast("tuple[bool, str, int]", point)
        sequential = accounts[(accounts["saving"] == saving) & (accounts["strategy"] == SEQUENTIAL)]
        here = split.loc[own.index]
        mean, draws = here.mean(), _draws(here, split.loc[sequential.index])
        clock = np.nan_to_num(np.log(own["kernel_s"].mean() / sequential["kernel_s"].mean()))
        shift = float(np.sqrt(level**2 * (1 / len(own) + 1 / len(sequential)) + clock**2))
        in_turns = inflation(inflations, WORKLOAD, workers, "user", saving)
        _tell_drift(mean, draws, shift, ALONE if workers == 1 else in_turns)
        found.append(Cell(own, mean, draws))
    return found


def unsteadiness(accounts: pd.DataFrame) -> float:
    """Standard deviation of the logarithm of a trial's user CPU about its cell's mean."""
    logs = np.log(accounts["user_s"].clip(lower=1e-9))
    groups = logs.groupby([accounts[name] for name in ("saving", "strategy", "workers")])
    freedom = len(logs) - groups.ngroups
    apart = logs - groups.transform("mean")
    return max(SHIFT, float(np.sqrt((apart**2).sum() / freedom))) if freedom else SHIFT


def _tell_drift(mean: pd.Series, draws: pd.DataFrame, shift: float, in_turns: Inflation | None) -> None:
    """Spreads the draws of the extra user CPU, and moves what is drift of it there."""
    random = np.random.default_rng(1)
    inflating_s = float(mean["inflating_s"])
    own, deviation = float(mean["user"]), inflating_s * shift
    if len(draws) > 1:
        draws["user"] += deviation * random.normal(size=len(draws))
    if in_turns is None or not deviation:
        return
    other, other_deviation = inflating_s * (in_turns.value - 1), inflating_s * float(in_turns.draws.std())
    if abs(own - other) > AGREE * np.hypot(deviation, other_deviation):
        return
    weight = deviation**2 / (deviation**2 + other_deviation**2)
    mean["user"] = own + weight * (other - own)
    mean["drift"] = own - mean["user"]
    if len(draws) > 1:
        drawn = inflating_s * (in_turns.draws - 1)
        user = draws["user"] + weight * (drawn - draws["user"])
        draws["drift"], draws["user"] = draws["user"] - user, user


def _draws(own: pd.DataFrame, sequential: pd.DataFrame) -> pd.DataFrame:
    if len(own) == 1:
        return own.reset_index(drop=True)
    random = np.random.default_rng(0)
    drawn = pd.DataFrame(resampled(random, own), columns=own.columns)
    extras = [name.removeprefix("extra_").removesuffix("_s") for name in EXTRAS]
    off: Any = resampled(random, sequential[extras], DRAWS)
    drawn[extras] -= off
    drawn["reference_s"] += off.sum(axis=1)
    drawn["inflating_s"] += off[:, extras.index("user")]
    return drawn
