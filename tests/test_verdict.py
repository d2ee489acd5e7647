"""The verdict on synthetic cells of which the right one is known, and its table."""

import re
from math import isnan, nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.statistics import Interval
from experiments.analysis.verdict import (
    COLUMNS,
    GAPS,
    LOSS,
    NOT_DECIDED,
    NOTHING_TO_GAIN,
    OVERSUBSCRIBED,
    SLOWER_TASKS,
    decide,
    loss_parts,
    named_suspects,
    verdicts,
)
from tests.helpers import task_rows
from tests.helpers.stored_results import report, shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, frames, interference

STEADY = (1.0, 1.004, 0.996, 1.002)
NOISY = (1.0, 1.15, 0.87, 1.06)
SEQUENTIAL = cell("sequential", 1, scales=STEADY)


def copies(cost: Cost | None = None) -> Cells:
    return task_rows.copies(2, cost, scales=STEADY)


def judged(*cells: Cells) -> Any:
    """Return the verdict on the strategy of the first cell."""
    trials, parts = frames(SEQUENTIAL, *cells)
    first = cells[0].trials[0]
    rows = verdicts(trials.assign(usable_cpus=first["usable_cpus"]), parts).to_dict("records")
    return next(
        row for row in rows if (row["strategy"], row["workers"]) == (first["strategy"], first["workers"])
    )


def p2(cost: Cost | None = None, **changes: Any) -> Cells:
    return cell("p2", 2, cost, **{"scales": STEADY, **changes})


UNEVEN: dict[str, Any] = {"deal": [0] * 9 + [1] * 3}
SLOWER, FAULTY = Cost(user_s=0.13), Cost(system_s=0.04, faults=20_000)
SYNCED = Cost(blocked_s=0.05, file_wait_s=0.05, write_s=0.05)
CROWDED = cell("p2", 4, Cost(wait_s=0.14), scales=STEADY, usable_cpus=2)
IMBALANCE = "load imbalance"
# Cells, of which the first is judged; its verdict, loss, suspected and proved causes.
CASES: dict[str, tuple[list[Cells], str, float, str, str]] = {
    "at the ceiling": ([p2(), copies()], NOTHING_TO_GAIN, 0.0, "", ""),
    "below it": ([p2(**UNEVEN), copies()], LOSS, 1 - 0.6 / 0.9, IMBALANCE, ""),
    "proved": ([p2(**UNEVEN), copies(), p2(ablation="chunksize_1")], LOSS, 1 / 3, IMBALANCE, IMBALANCE),
    "one round": ([p2(**UNEVEN, scales=(1.0,)), copies()], NOT_DECIDED, 1 / 3, IMBALANCE, ""),
    "no copies": ([p2(**UNEVEN)], NOT_DECIDED, nan, IMBALANCE, ""),
    "copies as slow": ([p2(SLOWER), copies(SLOWER)], NOTHING_TO_GAIN, 0.0, "", ""),
    "copies as faulty": ([p2(FAULTY), copies(FAULTY)], NOTHING_TO_GAIN, 0.0, "system CPU", ""),
    "copies as faulty, proved": (
        [p2(FAULTY), copies(FAULTY), p2(ablation="allocator")],
        *(LOSS, 0.04 / 0.14, "system CPU", "system CPU"),
    ),
    "proved by the strategy that does not send": (
        [cell("p1", 2, gap_s=0.03, scales=STEADY), copies(), p2()],
        *(LOSS, 1 - 0.6 / 0.75, "transfer", "transfer"),
    ),
    "suspected, but never proved": (
        [p2(SYNCED), copies(SYNCED), p2(ablation="tmpfs")],
        *(NOTHING_TO_GAIN, 0.0, "storage", ""),
    ),
    "oversubscribed, against as many workers as CPUs": (
        [CROWDED, p2(), copies()],
        *(OVERSUBSCRIBED, 1 - 0.6 / 0.72, "", ""),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdict_names_loss_suspects_and_proved_causes(case: str) -> None:
    cells, verdict, loss, suspected, proved = CASES[case]
    row = judged(*cells)
    assert (row["verdict"], row["suspected"], row["proved"]) == (verdict, suspected, proved)
    assert row["loss"] == pytest.approx(loss, abs=0.02, nan_ok=True)
    has_interval = case not in ("one round", "no copies")
    assert (row["low"] <= row["loss"] <= row["high"]) == has_interval


def test_loss_without_a_suspect_is_told_by_its_parts(tmp_path: Path) -> None:
    """Six tasks of 0.102 s after a start of 0.02 s: 0.632 s, where the ceiling takes 0.6 s."""
    small = p2(Cost(user_s=0.102), startup_s=0.02)
    row = judged(small, copies())
    assert (row["verdict"], row["suspected"], row["proved"]) == (LOSS, "", "")
    parts = {"start-up": 0.02 / 0.632, SLOWER_TASKS: 0.012 / 0.632, "load imbalance": 0.0, GAPS: 0.0}
    assert row["loss_parts"] == pytest.approx(parts, abs=0.002)
    table = shown(stored(tmp_path, SEQUENTIAL, small, copies()), "verdict").tables["verdicts"]
    words = "none; the loss consists of start-up 3 %, tasks slower than the ceiling's 2 %"
    assert table.rows[0][6] == words
    assert judged(p2(**UNEVEN), copies())["loss_parts"] == {}  # load imbalance is suspected


def test_cells_with_more_workers_than_cpus_have_a_note_instead_of_rows(tmp_path: Path) -> None:
    table = shown(stored(tmp_path, SEQUENTIAL, cell("p2", 99), p2(), copies()), "verdict").tables["verdicts"]
    assert [row[4] for row in table.rows] == [NOTHING_TO_GAIN]
    assert "Without a verdict: 1 cell with more workers than CPUs." in table.notes


def test_parts_sum_to_the_loss_also_if_tasks_are_faster_than_those_of_the_ceiling() -> None:
    mean = {"total_s": 200.0, "startup_s": 6.0, "drain_s": 2.0, "imbalance_s": 5.0, "gaps_s": 1.0}
    parts = loss_parts(mean, 0.06)
    expected = {"start-up": 0.04, "load imbalance": 0.025, GAPS: 0.005, SLOWER_TASKS: -0.01}
    assert parts == pytest.approx(expected)
    assert [*parts] == [*expected]
    assert loss_parts({}, 0.06) == {}


def test_loss_within_the_noise_needs_more_rounds_to_be_decided() -> None:
    row = judged(p2(Cost(user_s=0.105), scales=NOISY), copies())
    assert row["verdict"] == NOT_DECIDED
    assert row["low"] <= 0 < row["high"]
    assert row["rounds_to_decide"] > len(NOISY)


@pytest.mark.parametrize(
    ("faulty", "without"),
    [
        ({"user_s": 0.12, "system_s": 0.02}, Cost()),
        ({"system_s": 0.04}, Cost(user_s=0.09, system_s=0.04, faults=8_000)),
        ({"system_s": 0.04}, Cost(user_s=0.095, system_s=0.045)),
    ],
    ids=["saves more than the cause took", "leaves its counter", "saves nothing"],
)
def test_ablation_that_breaks_a_condition_proves_nothing(faulty: dict[str, Any], without: Cost) -> None:
    cost = Cost(**faulty, faults=8_000)
    assert judged(p2(cost), copies(cost), p2(without, ablation="allocator"))["proved"] == ""


def test_contention_is_ranked_with_its_measured_share() -> None:
    slower = Cost(user_s=0.13)
    row = judged(p2(slower), copies(slower), interference({"copies": 1.3, "streamers": 1.5}))
    assert row["suspected"] == "memory"
    assert row["ranking"]["memory"] == pytest.approx(1 - 1 / 1.3, abs=0.01)
    assert "cores or memory" not in row["ranking"]


def test_suspects_with_about_the_largest_share_are_named() -> None:
    shares = {"waits": 0.3, "storage": 0.2, "start-up": 0.06, "cores or memory": 0.9}
    assert named_suspects(shares) == ["waits", "storage"]
    assert named_suspects({"waits": 0.04}) == []


@pytest.mark.parametrize(
    ("loss", "verdict", "rounds"),
    [
        (Interval(0.02, -0.01, 0.05), NOTHING_TO_GAIN, None),
        (Interval(0.10, 0.01, 0.19), LOSS, None),
        (Interval(0.13, -0.07, 0.33), NOT_DECIDED, 31),  # half 0.20 to shrink to 0.13: 4 x 2.37 x 3.2
        (Interval(0.01, -0.07, 0.09), NOT_DECIDED, 52),  # half 0.08 to shrink to 0.04: 4 x 4 x 3.2
    ],
)
def test_verdict_follows_the_interval_of_the_loss(loss: Interval, verdict: str, rounds: int | None) -> None:
    said, to_decide = decide(loss, 4)
    assert said == verdict
    assert to_decide == rounds if rounds else isnan(to_decide)


def test_written_verdicts_begin_with_the_columns_that_others_read(tmp_path: Path) -> None:
    diagnosis: dict[str, Any] = {"experiment": "diagnose"}
    cells = [
        cell("sequential", 1, **diagnosis),
        cell("p2", 2, deal=[0] * 9 + [1] * 3, **diagnosis),
        cell("p2", 2, ablation="chunksize_1", **diagnosis),
        task_rows.copies(2, **diagnosis),
    ]
    assert report(stored(tmp_path, *cells)) == 0
    written = pd.read_csv(tmp_path / "tables" / "diagnose" / "verdicts.csv")
    assert list(written)[: len(COLUMNS)] == COLUMNS
    assert COLUMNS[:6] == ["strategy", "workers", "saving", "verdict", "loss", "low"]
    assert COLUMNS[6:] == ["high", "suspected", "proved"]
    [row] = written.to_dict("records")
    assert [row[name] for name in COLUMNS[:4]] == ["p2", 2, False, "loss"]
    assert row["loss"] == pytest.approx(1 / 3, abs=0.01)  # 0.6 s of 0.9 s
    assert (row["suspected"], row["proved"]) == ("load imbalance", "load imbalance")


def test_table_has_shares_of_suspects_and_savings_of_proofs(tmp_path: Path) -> None:
    beside = interference(
        {"copies": 1.5, "spinners": 1.0, "streamers": 1.4}, n_images=3, n_augmentations=4, trace=True
    )
    ceilings = [task_rows.copies(2), task_rows.copies(4)]
    changed = cell("p2", 2, ablation="chunksize_1")
    cells = [cell("sequential", 1), cell("p2", 4), cell("p2", 2, **UNEVEN), changed, cell("p1", 2)]
    table = shown(stored(tmp_path, *cells, *ceilings, beside), "verdict").tables["verdicts"]
    assert [[*row[1:3], row[4], *row[6:]] for row in table.rows] == [
        ["P_1", "2", "nothing to gain", "memory 33 %", "-"],
        ["P_2", "2", "loss", "memory 33 %, load imbalance 33 %", "load imbalance 33.3 % (33.3–33.3)"],
        ["P_2", "4", "nothing to gain", "-", "-"],  # not measured with interference
    ]


def test_table_says_how_many_rounds_would_decide(tmp_path: Path) -> None:
    noisy = cell("p2", 2, Cost(user_s=0.105), scales=NOISY)
    table = shown(stored(tmp_path, SEQUENTIAL, noisy, copies()), "verdict").tables["verdicts"]
    assert re.fullmatch(r"not decided; about \d+ rounds in all would decide", table.rows[0][4])
