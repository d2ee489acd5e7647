"""How often a 95 % interval of a speedup covers it, in simulated sweeps on a machine that drifts."""

import numpy as np
import pytest

from experiments.analysis.statistics import Array, BlockModel

CELLS, BASELINES = 6, 2
DRIFT, MEMORY_S, NOISE = 0.08, 15.0, 0.10  # within what fits the rows of two virtual CPUs
pytestmark = pytest.mark.once
TRIAL_S = 4.0


def drifting(random: np.random.Generator, trials: int) -> Array:
    """Errors of the logarithms of successive trials: a drift with a memory, and noise with heavy tails."""
    stay = np.exp(-TRIAL_S / MEMORY_S)
    level, levels = random.normal(), []
    for step in random.normal(size=trials):
        level = stay * level + np.sqrt(1 - stay**2) * step
        levels.append(level)
    return np.asarray(DRIFT * np.array(levels) + NOISE * random.standard_t(5, trials) / np.sqrt(5 / 3))


def sweep(random: np.random.Generator, rounds: int) -> tuple[list[int], list[int], Array]:
    """Cell, round and seconds of each trial: cell 0, the baseline, in the middle of each half of a round.
    All cells truly take a second."""
    cells = []
    for _ in range(rounds):
        order = list(random.permutation(np.arange(1, CELLS + 1)))
        halves = order[: CELLS // 2], order[CELLS // 2 :]
        cells += [cell for half in halves for cell in (*half[:1], 0, *half[1:])]
    blocks = [number for number in range(rounds) for _ in range(CELLS + BASELINES)]
    return cells, blocks, np.exp(drifting(random, len(cells)))


def coverage(rounds: int, sweeps: int = 300) -> float:
    random, covered = np.random.default_rng(rounds), []
    for _ in range(sweeps):
        model = BlockModel(*sweep(random, rounds))
        for cell in range(1, CELLS + 1):
            _, low, high = model.log_ratio(0, cell).exp()
            covered.append(low <= 1 <= high)
    return float(np.mean(covered))


def bootstrap_coverage(rounds: int, sweeps: int = 300) -> float:
    """Of the percentile bootstrap of the ratio of means, as this suite once had it."""
    random, covered = np.random.default_rng(rounds), []
    for _ in range(sweeps):
        cells, _, walls_s = sweep(random, rounds)
        sides = [walls_s[np.array(cells) == cell] for cell in (0, 1)]
        base, own = (random.choice(side, (400, len(side))).mean(axis=1) for side in sides)
        low, high = np.percentile(base / own, [2.5, 97.5])
        covered.append(low <= 1 <= high)
    return float(np.mean(covered))


@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_interval_of_a_speedup_covers_it_in_95_percent(rounds: int) -> None:
    assert 0.93 <= coverage(rounds) <= 0.98


@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_bootstrap_of_few_repetitions_covers_less_than_it_claims(rounds: int) -> None:
    assert bootstrap_coverage(rounds) < 0.93
