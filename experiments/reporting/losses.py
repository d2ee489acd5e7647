"""The account regrouped by what can be done about it, with intervals.

P T = reference + LOSSES. What a strategy does to bring pixels to its tasks is no work of the tasks:
reading beyond the reference's (P_2) and `send` (P_Q) go from the extras to coordination.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.reporting.account import COORDINATION, EXTRAS
from experiments.reporting.ceilings import DRAWS, PERCENT, resampled
from experiments.reporting.scaling import SEQUENTIAL

LOSSES = ("imbalance", "coordination", "user", "system", "wait", "blocked")
WHOLE = ("whole_system", "whole_blocked")
_ROW = ("total_s", "reference_s", "inflating_s", *LOSSES, *WHOLE)


def losses(accounts: pd.DataFrame) -> pd.DataFrame:
    """LOSSES in worker-seconds for each account; their sum is total_s - reference_s.

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
    return made.assign(total_s=accounts["total_s"], reference_s=accounts["reference_s"])[list(_ROW)]


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

    @property
    def user_inflation(self) -> "pd.Series[float]":
        """Draws of the user CPU of the same work over the reference's."""
        return 1 + self.draws["user"] / self.draws["inflating_s"]


def cells(accounts: pd.DataFrame) -> list[Cell]:
    """Every point of the accounts, sequential included, with its own repetitions resampled and those
    of its reference, whose accounts tell how far each repetition is from their mean."""
    split = losses(accounts)
    found = []
    for (saving, _, _), own in accounts.groupby(["saving", "strategy", "workers"]):
        sequential = accounts[(accounts["saving"] == saving) & (accounts["strategy"] == SEQUENTIAL)]
        here = split.loc[own.index]
        found.append(Cell(own, here.mean(), _draws(here, split.loc[sequential.index])))
    return found


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
