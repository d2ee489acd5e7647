"""Intervals against hand-computed numbers, and how often they cover in simulated sweeps."""

from math import exp, inf, isnan, log, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.analysis.statistics import BEYOND_POOLED, Array, BlockModel, Estimate, best_set, holm

ROUNDS = [0, 0, 1, 1, 2, 2]
CELLS = ["a", "b"] * 3


def test_two_cells_in_rounds_are_a_paired_t_test() -> None:
    walls_s = [2.0, 1.0, 2.2, 1.0, 3.0, 1.6]
    model = BlockModel(CELLS, ROUNDS, walls_s)
    pairs = np.log(np.array(walls_s[::2]) / np.array(walls_s[1::2]))
    half = stats.t.ppf(0.975, 2) * pairs.std(ddof=1) / sqrt(3)
    value, low, high = model.log_ratio("a", "b").interval()
    assert model.dof == 2
    assert (value, low, high) == pytest.approx((pairs.mean(), pairs.mean() - half, pairs.mean() + half))


def test_slow_round_changes_no_ratio() -> None:
    walls_s = np.array([2.0, 1.0, 2.2, 1.0, 3.0, 1.6])
    slow = walls_s * [1, 1, 5, 5, 1, 1]
    before, after = (BlockModel(CELLS, ROUNDS, each).log_ratio("a", "b").exp() for each in (walls_s, slow))
    assert after == pytest.approx(before)


def test_balanced_formula_with_two_baselines_a_round() -> None:
    """Expect ln S = mean_seq - mean_c ± t √(s_c²/R + s_seq²/2R), s the larger of the pooled and own error.

    A cell's own error is measured by what BEYOND_POOLED of equally noisy cells exceed, and t has the degrees
    of freedom of Satterthwaite.
    """
    random = np.random.default_rng(1)
    cells = ["seq", "seq", "x", "y"] * 4
    blocks = [number for number in range(4) for _ in range(4)]
    logs = random.normal(size=16) * 0.1 + np.repeat([0.0, 1.0, -1.0, 0.5], 4)
    model = BlockModel(cells, blocks, np.exp(logs))
    table = logs.reshape(4, 4)
    means = np.array([table[:, :2].mean(), table[:, 2].mean(), table[:, 3].mean()])
    fitted = means[[0, 0, 1, 2]] + (table.mean(axis=1) - table.mean())[:, None]
    errors = (table - fitted) ** 2
    dof, of_seq, of_x = 16 - 3 - 4 + 1, 8 - 1 - 2 + 0.5, 3 * 3 / 4
    pooled = errors.sum() / dof
    own = [
        errors[:, columns].sum() / (dof * stats.beta.isf(BEYOND_POOLED, own_dof / 2, (dof - own_dof) / 2))
        for columns, own_dof in ((slice(2), of_seq), (slice(2, 3), of_x))
    ]
    beyond = [max(each - pooled, 0) / trials for each, trials in zip(own, (8, 4), strict=True)]
    variances = np.array([pooled * (1 / 4 + 1 / 8), *beyond])
    t_dof = variances.sum() ** 2 / (variances**2 / [dof, of_seq, of_x]).sum()
    value, low, high = model.log_ratio("seq", "x").interval()
    assert value == pytest.approx(means[0] - means[1])
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, t_dof) * sqrt(variances.sum()))


def test_cell_that_is_noisier_than_the_others_keeps_its_noise() -> None:
    cells, blocks = ["seq", "calm", "still", "noisy"] * 4, [number for number in range(4) for _ in range(4)]
    walls_s = [1, 1, 1, 2, 1, 1, 1, 0.5, 1.01, 1, 1, 2.1, 1, 1.01, 1, 0.4]
    model = BlockModel(cells, blocks, walls_s)
    noisy, calm = (model.log_ratio("seq", cell) for cell in ("noisy", "calm"))
    assert noisy.error > 1.3 * calm.error
    assert noisy.dof < calm.dof - 1  # known from its own few trials


def test_one_round_has_a_value_and_no_interval() -> None:
    model = BlockModel(["seq", "seq", "p2"], ["r"] * 3, [2.0, 2.2, 1.0])
    value, low, high = model.log_ratio("seq", "p2").exp()
    assert value == pytest.approx(sqrt(2.0 * 2.2))
    assert isnan(low)
    assert isnan(high)


def test_cells_that_share_no_round_have_no_interval() -> None:
    model = BlockModel(["a", "a", "b", "b"], [0, 1, 2, 3], [1.0, 1.1, 2.0, 2.2])
    value, low, _ = model.log_ratio("b", "a").exp()
    assert value == pytest.approx(2.0)
    assert isnan(low)


def test_failed_trial_leaves_the_others_to_be_compared() -> None:
    model = BlockModel(
        ["a", "b", "c", "a", "b", "a", "b", "c"], [0, 0, 0, 1, 1, 2, 2, 2], [2, 1, 4, 2, 1, 2, 1, 4.1]
    )
    assert model.log_ratio("c", "a").exp().value == pytest.approx(2.025, rel=1e-3)
    assert model.log_ratio("c", "a").exp().known


@given(st.lists(st.floats(0.1, 10), min_size=6, max_size=6), st.floats(0.1, 10))
def test_seconds_or_minutes_are_the_same_ratio(walls_s: list[float], unit: float) -> None:
    ratios = [
        BlockModel(CELLS, ROUNDS, np.array(walls_s) * scale).log_ratio("a", "b").exp().value
        for scale in (1, unit)
    ]
    assert ratios[0] == pytest.approx(ratios[1])


def test_equal_times_are_equal_whatever_their_last_bits() -> None:
    random = np.random.default_rng(4)
    times = np.repeat(np.exp(0.1 * random.normal(size=(5, 2))), [1, 2], axis=1)  # of c, a and b, alike
    for order in (random.permutation(15) for _ in range(20)):
        cells, blocks = np.array(list("cab") * 5)[order], np.repeat(np.arange(5), 3)[order]
        model = BlockModel(list(cells), list(blocks), times.ravel()[order])
        assert model.log_ratio("a", "b").value == 0
        assert model.seconds("a") == model.seconds("b")
        bounds = best_set(model, ["a", "b", "c"])
        assert bounds["a"] == bounds["b"]


def test_difference_without_an_error_is_sure_and_none_is_not() -> None:
    values = [Estimate(0.1, 0.0, 3).p_value, Estimate(0.0, 0.0, 3).p_value, Estimate(0.1, nan, 0).p_value]
    assert values == [0.0, 1.0, 1.0]


def test_holm_holds_the_surest_claim_to_the_strictest_level_and_stops_at_the_first_that_fails() -> None:
    surest, sure, unsure = Estimate(3.0, 0.5, 20), Estimate(1.1, 0.5, 20), Estimate(0.2, 0.5, 20)
    levels = [stats.t.ppf(1 - alpha / 2, 20) * 0.5 for alpha in (0.05 / 3, 0.05 / 2, 0.05 / 2)]
    intervals = holm([unsure, surest, sure])
    halves = [(each.high - each.low) / 2 for each in (intervals[1], intervals[2], intervals[0])]
    assert halves == pytest.approx(levels)
    assert [each.low > 0 for each in intervals] == [False, True, False]


def test_best_set_bounds_what_a_choice_may_lose() -> None:
    cells, blocks = ["fast", "near", "slow"] * 5, [number for number in range(5) for _ in range(3)]
    random = np.random.default_rng(3)
    walls_s = np.exp(np.tile([0.0, 0.01, log(2)], 5) + 0.01 * random.normal(size=15))
    bounds = best_set(BlockModel(cells, blocks, walls_s), ["fast", "near", "slow"])
    assert bounds["fast"] < 0.05
    assert bounds["near"] < 0.08
    assert bounds["slow"] == pytest.approx(1.0, abs=0.2)
    once = BlockModel(["fast", "slow"], ["r", "r"], [1.0, 2.0])
    assert best_set(once, ["fast", "slow"])["slow"] == inf


def test_measured_level_is_in_the_mean_of_all_rounds() -> None:
    model = BlockModel(["a", "b", "a", "b", "a"], [0, 0, 1, 1, 2], [1, 2, 4, 8, exp(1)])
    assert model.seconds("b") == pytest.approx(2 * model.seconds("a"))


# A machine that drifts.
N_CELLS, N_BASELINES = 6, 2
DRIFT, MEMORY_S, NOISE = 0.08, 15.0, 0.10  # within what fits the rows of two virtual CPUs
TRIAL_S = 4.0


def drifting(random: np.random.Generator, trials: int) -> Array:
    """Errors of the logarithms of successive trials: a drift with a memory, and noise with heavy tails."""
    stay = np.exp(-TRIAL_S / MEMORY_S)
    level, levels = random.normal(), []
    for step in random.normal(size=trials):
        level = stay * level + np.sqrt(1 - stay**2) * step
        levels.append(level)
    return np.asarray(DRIFT * np.array(levels) + NOISE * random.standard_t(5, trials) / np.sqrt(5 / 3))


def sweep(random: np.random.Generator, rounds: int, noisy: float = 1.0) -> tuple[list[int], list[int], Array]:
    """Return cell, round and seconds of each trial; every cell truly takes a second.

    Cell 0 is the baseline, in the middle of each half of a round; cell 1 may be noisier than the others.
    """
    cells = []
    for _ in range(rounds):
        order = list(random.permutation(np.arange(1, N_CELLS + 1)))
        halves = order[: N_CELLS // 2], order[N_CELLS // 2 :]
        cells += [cell for half in halves for cell in (*half[:1], 0, *half[1:])]
    blocks = [number for number in range(rounds) for _ in range(N_CELLS + N_BASELINES)]
    own = np.where(np.array(cells) == 1, sqrt(noisy**2 - 1) * NOISE, 0.0) * random.normal(size=len(cells))
    return cells, blocks, np.exp(drifting(random, len(cells)) + own)


def coverage(rounds: int, noisy: float = 1.0, sweeps: int = 300) -> float:
    """Return the share of speedups that their interval holds; with a noisy cell, of its speedups alone."""
    random, covered = np.random.default_rng(rounds), []
    for _ in range(sweeps):
        model = BlockModel(*sweep(random, rounds, noisy))
        for cell in range(1, 2 if noisy > 1 else N_CELLS + 1):
            _, low, high = model.log_ratio(0, cell).exp()
            covered.append(low <= 1 <= high)
    return float(np.mean(covered))


@pytest.mark.once
@pytest.mark.parametrize("rounds", [2, 3, 5])
def test_interval_of_a_speedup_covers_it_in_95_percent(rounds: int) -> None:
    assert 0.93 <= coverage(rounds) <= 0.98


@pytest.mark.once
@pytest.mark.parametrize("rounds", [3])
def test_interval_of_a_cell_four_times_as_noisy_covers_nearly_as_often(rounds: int) -> None:
    assert coverage(rounds, noisy=4.0, sweeps=600) >= 0.9
