"""The verdict on synthetic cells of which the right one is known, in words and as a table."""

from math import isnan, nan
from pathlib import Path
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
    decide,
    named_suspects,
    verdicts,
)
from experiments.report.sections.verdicts import NOTES, sentence
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
    row = judged(dealt, copies(), p2(ablation="chunksize_1"))
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
    row = judged(p2(slower), copies(slower), interference({"copies": 1.3, "streamers": 1.5}))
    assert row["suspected"] == "memory"
    assert row["ranking"]["memory"] == pytest.approx(1 - 1 / 1.3, abs=0.01)
    assert "cores or memory" not in row["ranking"]


def test_transfer_is_proved_by_the_strategy_that_does_not_send() -> None:
    p1 = cell("p1", 2, gap_s=0.03, scales=STEADY)
    assert judged(p1, copies(), p2())["proved"] == "transfer"


def test_several_suspects_are_named_in_their_order_where_they_take_about_as_much() -> None:
    assert named_suspects({"waits": 0.3, "storage": 0.2, "start-up": 0.06, "cores or memory": 0.9}) == [
        "waits",
        "storage",
    ]
    assert named_suspects({"waits": 0.04}) == []


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
    said, to_decide = decide(loss, 4)
    assert said == verdict
    assert to_decide == rounds if rounds else isnan(to_decide)


ROW: dict[str, Any] = {"strategy": "p2", "workers": 2, "saving": False, "proved": "", "gains": {}}
ROW |= {"rounds_to_decide": nan, "ranking": {"load imbalance": 0.33, "waits": 0.03, "start-up": 0.01}}
SUSPECTS = "Suspects, of all worker-seconds: load imbalance 33 %, waits 3 %."
QUIET: dict[str, Any] = {"ranking": {"waits": 0.01}}
GAIN: dict[str, Any] = {"proved": "load imbalance", "gains": {"chunksize_1": Interval(0.3, 0.25, 0.35)}}
OF_TIME = "of its time is lost relative to what this machine can do"


@pytest.mark.parametrize(
    ("verdict", "loss", "more", "words"),
    [
        (LOSS, (0.33, 0.31, 0.35), {}, f"loss; 33 % (31–35) {OF_TIME}. {SUSPECTS}"),
        (
            LOSS,
            (0.3, 0.25, 0.35),
            GAIN,
            f"loss; 30 % (25–35) {OF_TIME}. Proved: load imbalance; "
            f"without it (chunksize_1) it takes 30 % (25–35) less. {SUSPECTS}",
        ),
        (
            NOTHING_TO_GAIN,
            (0.01, -0.01, 0.03),
            QUIET,
            f"nothing to gain; 1 % (-1 to 3) {OF_TIME}. Nothing is suspected.",
        ),
        (
            NOT_DECIDED,
            (0.05, -0.08, 0.18),
            {"rounds_to_decide": 10.0},
            f"not decided; 5 % (-8 to 18) {OF_TIME}; about 10 rounds in all would decide. {SUSPECTS}",
        ),
        (
            NOT_DECIDED,
            (nan, nan, nan),
            {},
            f"not decided; no ceiling was measured in the same rounds (with_ceiling=true). {SUSPECTS}",
        ),
    ],
)
def test_a_verdict_is_a_sentence(
    verdict: str, loss: tuple[float, float, float], more: dict[str, Any], words: str
) -> None:
    ends = dict(zip(("loss", "low", "high"), loss, strict=True))
    assert sentence({**ROW, "verdict": verdict, **ends, **more}) == f"P_2 with 2 workers, no saving: {words}"


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


def test_table_has_a_row_per_cell_and_notes_with_the_sentences(tmp_path: Path) -> None:
    beside = interference(
        {"copies": 1.5, "spinners": 1.0, "streamers": 1.4}, n_images=3, n_augmentations=4, trace=True
    )
    ceilings = [task_rows.copies(2), task_rows.copies(4)]
    cells = [cell("sequential", 1), cell("p2", 4), cell("p2", 2), cell("p1", 2), *ceilings, beside]
    [table] = shown(stored(tmp_path, *cells), "verdict")[0]["verdicts"]
    assert [[*row[:3], row[4], *row[6:]] for row in table.rows] == [
        ["no", "P_1", "2", "nothing to gain", "memory", "-"],
        ["no", "P_2", "2", "nothing to gain", "memory", "-"],
        ["no", "P_2", "4", "nothing to gain", "-", "-"],  # not measured with interference
    ]
    words = table.notes[: -len(NOTES)]
    names = [f"{name} workers" for name in ("P_1 with 2", "P_2 with 2", "P_2 with 4")]
    assert [note.partition(",")[0] for note in words[:3]] == names
    assert words[3].startswith("2 workers, no saving: the workload contends for memory")
