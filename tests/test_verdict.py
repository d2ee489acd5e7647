"""The five rules, on synthetic cells of which the right verdict is known."""

from math import isnan
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.statistics import Interval
from experiments.analysis.verdict import (
    COLUMNS,
    LOSS,
    NOT_DECIDED,
    NOTHING_TO_GAIN,
    OVERSUBSCRIBED,
    decided,
    suspected,
    verdicts,
)
from tests.helpers import task_rows
from tests.helpers.task_rows import Cells, Cost, cell, frames

STEADY = (1.0, 1.004, 0.996, 1.002)
NOISY = (1.0, 1.15, 0.87, 1.06)
SEQUENTIAL = cell("sequential", 1, scales=STEADY)


def copies(cost: Cost | None = None) -> Cells:
    return task_rows.copies(2, cost, scales=STEADY)


def judged(*cells: Cells) -> Any:
    """The verdict on the strategy of the first cell."""
    trials, parts = frames(SEQUENTIAL, *cells)
    first = cells[0].trials[0]
    rows = verdicts(trials.assign(usable_cpus=first["usable_cpus"]), parts).to_dict("records")
    return next(
        row for row in rows if (row["strategy"], row["workers"]) == (first["strategy"], first["workers"])
    )


def p2(cost: Cost | None = None, **changes: Any) -> Cells:
    return cell("p2", 2, cost, **{"scales": STEADY, **changes})


def test_a_strategy_at_the_ceiling_has_nothing_to_gain() -> None:
    row = judged(p2(), copies())
    assert row["verdict"] == NOTHING_TO_GAIN
    assert row["low"] <= row["loss"] <= row["high"] <= 0.05
    assert (row["suspected"], row["proved"]) == ("", "")


def test_verdict_below_the_ceiling_is_a_loss_with_its_first_suspect() -> None:
    row = judged(p2(deal=[0] * 9 + [1] * 3), copies())
    assert row["verdict"] == LOSS
    assert row["loss"] == pytest.approx(1 - 0.6 / 0.9, abs=0.02)
    assert (row["suspected"], row["proved"]) == ("load imbalance", "")


def test_slowdown_of_the_copies_is_no_loss_of_the_strategy() -> None:
    slower = Cost(user_s=0.13)
    assert judged(p2(slower), copies(slower))["verdict"] == NOTHING_TO_GAIN


def test_a_loss_within_the_noise_is_not_decided_and_says_how_many_rounds_would_decide() -> None:
    row = judged(p2(Cost(user_s=0.105), scales=NOISY), copies())
    assert row["verdict"] == NOT_DECIDED
    assert row["low"] <= 0 < row["high"]
    assert row["rounds_to_decide"] > len(NOISY)


def test_oversubscribed_cell_is_compared_with_as_many_workers_as_cpus() -> None:
    few: dict[str, Any] = {"usable_cpus": 2}
    crowded = cell("p2", 4, Cost(wait_s=0.14), scales=STEADY, **few)
    row = judged(crowded, p2(), copies())
    assert row["verdict"] == OVERSUBSCRIBED
    assert row["loss"] == pytest.approx(1 - 0.6 / 0.72, abs=0.02)
    assert (row["suspected"], row["proved"]) == ("", "")


def test_a_cause_is_proved_by_the_ablation_that_removes_it() -> None:
    dealt = p2(deal=[0] * 9 + [1] * 3)
    row = judged(dealt, copies(), p2(ablation="chunk_1"))
    assert (row["verdict"], row["suspected"], row["proved"]) == (LOSS, "load imbalance", "load imbalance")


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        (Cost(), "gives back more than was said"),
        (Cost(user_s=0.09, system_s=0.04, faults=8_000), "its counter stays"),
        (Cost(user_s=0.095, system_s=0.045), "gives nothing back"),
    ],
)
def test_ablation_that_breaks_a_condition_proves_nothing(without: Cost, reason: str) -> None:
    faulty = (
        Cost(user_s=0.12, system_s=0.02, faults=8_000)
        if "more" in reason
        else Cost(system_s=0.04, faults=8_000)
    )
    row = judged(p2(faulty), copies(faulty), p2(without, ablation="allocator"))
    assert row["proved"] == "", reason


def test_system_cpu_of_the_copies_is_a_loss_once_proved() -> None:
    faulty = Cost(system_s=0.04, faults=20_000)
    suspicion = judged(p2(faulty), copies(faulty))
    assert (suspicion["verdict"], suspicion["suspected"]) == (NOTHING_TO_GAIN, "system CPU")
    proof = judged(p2(faulty), copies(faulty), p2(ablation="allocator"))
    assert (proof["verdict"], proof["proved"]) == (LOSS, "system CPU")
    assert proof["loss"] == pytest.approx(0.04 / 0.14, abs=0.02)


def test_contention_is_ranked_with_its_measured_share() -> None:
    slower = Cost(user_s=0.13)
    row = judged(p2(slower), copies(slower), task_rows.interference({"copies": 1.3, "streamers": 1.5}))
    assert row["suspected"] == "memory"
    assert row["ranking"]["memory"] == pytest.approx(1 - 1 / 1.3, abs=0.01)
    assert "cores or memory" not in row["ranking"]


def test_transfer_is_proved_by_the_strategy_that_does_not_send() -> None:
    p1 = cell("p1", 2, gap_s=0.03, scales=STEADY)
    assert judged(p1, copies(), p2())["proved"] == "transfer"


def test_several_suspects_are_named_in_their_order_where_they_take_about_as_much() -> None:
    assert suspected({"waits": 0.3, "storage": 0.2, "start-up": 0.06, "cores or memory": 0.9}) == [
        "waits",
        "storage",
    ]
    assert suspected({"waits": 0.04}) == []


def test_verdict_after_one_round_is_not_decided() -> None:
    once: dict[str, Any] = {"scales": (1.0,)}
    row = judged(p2(deal=[0] * 9 + [1] * 3, **once), copies())
    assert row["verdict"] == NOT_DECIDED
    assert isnan(row["low"])


def test_verdict_without_copies_is_not_decided() -> None:
    row = judged(p2(deal=[0] * 9 + [1] * 3))
    assert (row["verdict"], row["suspected"]) == (NOT_DECIDED, "load imbalance")
    assert isnan(row["loss"])


@pytest.mark.parametrize(
    ("loss", "verdict", "rounds"),
    [
        (Interval(0.02, -0.01, 0.05), NOTHING_TO_GAIN, None),
        (Interval(0.10, 0.01, 0.19), LOSS, None),
        (Interval(0.13, -0.07, 0.33), NOT_DECIDED, 10),  # half 0.20 to shrink to 0.13: 4 x 2.37
        (Interval(0.01, -0.07, 0.09), NOT_DECIDED, 16),  # half 0.08 to shrink to 0.04
    ],
)
def test_verdict_follows_the_interval_of_the_loss(loss: Interval, verdict: str, rounds: int | None) -> None:
    said, to_decide = decided(loss, 4)
    assert said == verdict
    assert to_decide == rounds if rounds else isnan(to_decide)


def test_the_columns_that_others_rely_on_come_first() -> None:
    judged = verdicts(*frames(SEQUENTIAL, p2(), copies()))
    assert isinstance(judged, pd.DataFrame)
    assert list(judged)[: len(COLUMNS)] == COLUMNS
