"""A machine whose speed drifts, and whose true times are known.

The logarithm of a trial's seconds is that of its work plus three errors: a drift of 7 % with a memory, what
the occasion adds to all of its trials, and noise of 8 % with heavy tails.
"""

from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
import pandas as pd

from experiments.analysis.statistics import Array
from experiments.store.columns import OK

BEGIN = pd.Timestamp(2025, 4, 23, tz="UTC")
DRIFT, NOISE, TAILS = (
    0.07,
    0.08,
    5,
)  # standard deviations of logarithms, and degrees of freedom of Student's t
TRIAL_S, PAUSE_S, SOON_S, DAY_S = 4.0, 0.6, 300.0, 86_400.0
MOMENTS = 40  # of a long run, at which its level is taken


@dataclass(frozen=True)
class Scenario:
    """A kind of machine, and what is measured on it."""

    words: str
    rounds: int = 3
    memory_s: float = 30.0
    occasions: float = 0.0  # by which they differ, a standard deviation
    noisy: float = 1.0  # times the noise of the others, of cell 1
    photos: int = 6
    least: float = 0.93  # share in which an interval of 95 % is to hold the truth


class DriftingMachine:
    """A machine behind a virtual clock."""

    def __init__(self, scenario: Scenario, random: np.random.Generator) -> None:
        self.scenario, self.random, self.now_s = scenario, random, 0.0
        self._level_at_s, self._drift, self._occasion = 0.0, random.normal(), random.normal()

    def rest(self) -> None:
        """Let minutes pass, or a day to another occasion if the scenario has any."""
        self.now_s += DAY_S if self.scenario.occasions else SOON_S
        self._occasion = self.random.normal()

    def level(self, seconds: float) -> float:
        """Return the mean logarithm of the machine's slowness in the next so many seconds, which pass."""
        levels = []
        for moment_s in np.linspace(self.now_s, self.now_s + seconds, 2 + MOMENTS * (seconds > TRIAL_S))[1:]:
            stay = exp((self._level_at_s - moment_s) / self.scenario.memory_s)
            self._drift = stay * self._drift + sqrt(1 - stay**2) * self.random.normal()
            self._level_at_s = float(moment_s)
            levels.append(DRIFT * self._drift + self.scenario.occasions * self._occasion)
        self.now_s += seconds
        return float(np.mean(levels))

    def noise(self, times: float = 1.0) -> float:
        """Return the noise of one trial."""
        return float(times * NOISE * self.random.standard_t(TAILS) / sqrt(TAILS / (TAILS - 2)))

    def sweep(self, rounds: int, **sides: Array) -> pd.DataFrame:
        """Return trials in rounds of cells 0, 1, … with these logarithms of seconds; the sides take turns.

        Cell 0 is the baseline, in the middle of each half of a round. `level` is the machine's in the trial.
        """
        rows, name, others = [], f"{self.now_s:.0f}", len(next(iter(sides.values()))) - 1
        for number in range(rounds):
            order = self.random.permutation(np.arange(1, others + 1))
            for cell in np.insert(order, [others // 4, 3 * others // 4], 0):
                for side in self.random.permutation([*sides]):
                    started_at, level = BEGIN + pd.Timedelta(seconds=self.now_s), self.level(TRIAL_S)
                    error = level + self.noise(self.scenario.noisy if cell == 1 else 1.0)
                    seconds = exp(sides[side][cell] + error)
                    rows.append((name, number, str(side), int(cell), started_at, level, seconds))
                    self.now_s += PAUSE_S
        columns = ["sweep", "round", "side", "cell", "started_at", "level", "wall_s"]
        return pd.DataFrame(rows, columns=columns).assign(status=OK)
