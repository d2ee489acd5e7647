"""Each cause, planted into synthetic tables, is named first; what decides nothing is not decided."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.account import accounts
from experiments.analysis.causes import (
    BLOCKED,
    COORDINATION,
    IMBALANCE,
    NOISE_ONLY,
    OVERSUBSCRIBED,
    PAGE_FAULTS,
)
from experiments.analysis.ceilings import inflations
from experiments.analysis.inflation import CLOCK, MEMORY_BOUND, UNDECIDED
from experiments.analysis.verdict import Verdict, verdicts
from tests.taskframes import Cells, Cost, cell, frames, turns

CLEAN = Cost(user_s=0.1)
SEQUENTIAL = cell("sequential", 1, CLEAN)


def judged(*cells: Cells) -> Verdict:
    """The verdict on the cell that comes last."""
    trials, parts = frames(*cells)
    last = cells[-1].trials[0]
    judged = verdicts(accounts(trials[trials["strategy"] != "turns"], parts), inflations(trials, parts))
    [verdict] = [
        each for each in judged if (each.strategy, each.workers) == (last["strategy"], last["workers"])
    ]
    return verdict


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_clean_cell_is_inside_the_noise(workers: int) -> None:
    verdict = judged(SEQUENTIAL, cell("p1", workers, CLEAN))
    assert verdict.cause == NOISE_ONLY
    assert abs(verdict.loss) < 0.01
    assert judged(SEQUENTIAL).cause == NOISE_ONLY


@pytest.mark.parametrize(
    ("cause", "cost", "more"),
    [
        (IMBALANCE, CLEAN, {"deal": [0] * 9 + [1] * 3}),
        (COORDINATION, CLEAN, {"startup_s": 0.3}),
        (COORDINATION, CLEAN, {"gap_s": 0.05}),
        (COORDINATION, CLEAN, {"drain_s": 0.3}),
        (COORDINATION, Cost(user_s=0.15, read_s=0.05), {}),
        (OVERSUBSCRIBED, Cost(wait_s=0.08), {"usable_cpus": 1}),
        (OVERSUBSCRIBED, Cost(wait_s=0.08), {"opencv_threads": 4, "usable_cpus": 4}),
        (UNDECIDED, Cost(wait_s=0.08), {}),
        (UNDECIDED, Cost(wait_s=0.08), {"usable_cpus": 2, "cpu_user_s": 1.3}),  # master: 0.1 CPUs
        (PAGE_FAULTS, Cost(system_s=0.04, faults=4000), {}),
        (UNDECIDED, Cost(system_s=0.04, faults=4), {}),
        (BLOCKED, Cost(blocked_s=0.04), {}),
        (UNDECIDED, Cost(user_s=0.15), {}),
        (UNDECIDED, Cost(wait_s=0.05, blocked_s=0.05), {}),
    ],
)
def test_a_planted_cause_is_named(cause: str, cost: Cost, more: dict[str, Any]) -> None:
    verdict = judged(SEQUENTIAL, cell("p2", 2, cost, **more))
    assert verdict.cause == cause
    assert verdict.low <= verdict.share <= verdict.high
    assert verdict.evidence.endswith(".")
    assert verdict.advice


@pytest.mark.parametrize(
    ("compute", "memory", "inflated", "cause"),
    [
        (1.0, 1.5, 1.5, MEMORY_BOUND),
        (1.0, 1.9, 1.3, MEMORY_BOUND),  # some of it streams
        (1.5, 1.3, 1.3, MEMORY_BOUND),  # hyper-threads: the cores slow down too, the workload does less
        (1.5, 1.0, 1.5, CLOCK),
        (1.5, 1.3, 1.5, CLOCK),
        (1.4, 1.4, 1.4, UNDECIDED),
        (1.0, 1.05, 1.5, UNDECIDED),  # neither explains it
    ],
)
def test_user_cpu_goes_with_the_probe_that_inflates_alike(
    compute: float, memory: float, inflated: float, cause: str
) -> None:
    company = turns(inflated, 2, rounds=4, probes={"compute": compute, "memory": memory})
    verdict = judged(SEQUENTIAL, company, cell("p1", 2, Cost(user_s=0.1 * inflated)))
    assert verdict.cause == cause
    assert f"{inflated:.2f} times the reference's user CPU" in verdict.evidence


def test_more_opencv_threads_than_cpus_is_oversubscription() -> None:
    """One worker has two CPUs to itself; of two, each waits for its own helpers without one of its own."""
    threads: dict[str, Any] = {"opencv_threads": 4, "usable_cpus": 2}
    alone = cell("sequential", 1, Cost(user_s=0.06, helpers_s=0.05), **threads)
    verdict = judged(
        alone, cell("p2", 2, Cost(user_s=0.06, helpers_s=0.06, wait_s=0.01, blocked_s=0.04), **threads)
    )
    assert verdict.cause == OVERSUBSCRIBED
    assert "8 to run on 2 CPUs" in verdict.evidence


@pytest.mark.parametrize(
    ("cost", "cause"),
    [
        (Cost(user_s=0.03, blocked_s=0.07), BLOCKED),
        (Cost(user_s=0.04, system_s=0.06, faults=6000), PAGE_FAULTS),
        (Cost(user_s=0.04, system_s=0.06, faults=6), NOISE_ONLY),
        (Cost(user_s=0.08, blocked_s=0.02), NOISE_ONLY),
    ],
)
def test_work_that_waits_by_itself_is_named_though_it_scales(cost: Cost, cause: str) -> None:
    assert judged(cell("sequential", 1, cost), cell("p2", 2, cost, startup_s=0.02)).cause == cause
    assert judged(cell("sequential", 1, cost)).cause == NOISE_ONLY


def test_a_loss_that_the_machine_drifted_by_is_noise() -> None:
    slower: dict[str, Any] = {"kernel_before_s": 0.006, "kernel_after_s": 0.006}
    cost = Cost(user_s=0.118)
    assert judged(SEQUENTIAL, cell("p2", 2, cost)).cause == UNDECIDED
    assert judged(SEQUENTIAL, cell("p2", 2, cost, **slower)).cause == NOISE_ONLY


def test_a_loss_that_repetitions_do_not_confirm_is_noise() -> None:
    assert judged(SEQUENTIAL, cell("p2", 2, Cost(user_s=0.11), scales=(0.8, 1.0, 1.4))).cause == NOISE_ONLY


def test_what_replicas_lose_too_is_the_machines() -> None:
    replicas = cell("replicas", 2, Cost(wait_s=0.1), usable_cpus=1)
    verdict = judged(SEQUENTIAL, replicas, cell("p1", 2, Cost(wait_s=0.1), startup_s=0.3, usable_cpus=1))
    assert verdict.machine_loss == pytest.approx(0.5)
    assert "Of 60 % lost in all, replicas lose 50 % too; 10 % are the strategy's." in verdict.evidence


def test_a_single_repetition_has_no_interval_and_still_a_verdict() -> None:
    verdict = judged(cell("sequential", 1, scales=(1.0,)), cell("p1", 2, startup_s=0.3, scales=(1.0,)))
    assert verdict.cause == COORDINATION
    assert pd.isna(verdict.low)
    assert verdict.sentence().startswith(f"P_1 at 2 workers, no saving: {COORDINATION}, 33 %. The busiest")


def test_run_queue_wait_that_was_not_recorded_decides_nothing_of_blocking() -> None:
    trials, parts = frames(SEQUENTIAL, cell("p2", 2, Cost(wait_s=0.08)))
    parts.tables["tasks"] = parts.tables["tasks"].assign(run_queue_wait_s=np.nan)
    judged = verdicts(accounts(trials, parts), inflations(trials, parts))
    assert [verdict.cause for verdict in judged] == [UNDECIDED, NOISE_ONLY]
