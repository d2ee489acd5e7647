"""The verdicts in words, and as a table that others can rely on."""

from math import nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.statistics import Interval
from experiments.analysis.verdict import LOSS, NOT_DECIDED, NOTHING_TO_GAIN
from experiments.report.__main__ import main
from experiments.report.sections.diagnosis import NOTES, sentence
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import cell, copies, interference

ROW: dict[str, Any] = {"strategy": "p2", "workers": 2, "saving": False, "proved": "", "gains": {}}
ROW |= {"rounds_to_decide": nan, "ranking": {"load imbalance": 0.33, "waits": 0.03, "start-up": 0.01}}
SUSPECTS = "Suspects, of all worker-seconds: load imbalance 33 %, waits 3 %."
QUIET: dict[str, Any] = {"ranking": {"waits": 0.01}}
QUIETLY = "Nothing is suspected."
GAIN: dict[str, Any] = {"proved": "load imbalance", "gains": {"chunk_1": Interval(0.3, 0.25, 0.35)}}
OF_TIME = "of its time is lost against what is possible here"
PROOF = "Proved: load imbalance; without it (chunk_1) it takes 30 % (25–35) less."


@pytest.mark.parametrize(
    ("verdict", "loss", "more", "words"),
    [
        (
            LOSS,
            (0.33, 0.31, 0.35),
            {},
            f"loss; 33 % (31–35) {OF_TIME}. {SUSPECTS}",
        ),
        (
            LOSS,
            (0.3, 0.25, 0.35),
            GAIN,
            f"loss; 30 % (25–35) {OF_TIME}. {PROOF} {SUSPECTS}",
        ),
        (
            NOTHING_TO_GAIN,
            (0.01, -0.01, 0.03),
            QUIET,
            f"nothing to gain; 1 % (-1 to 3) {OF_TIME}. {QUIETLY}",
        ),
        (
            NOT_DECIDED,
            (0.05, -0.08, 0.18),
            {"rounds_to_decide": 10.0, **QUIET},
            f"not decided; 5 % (-8 to 18) {OF_TIME}; about 10 rounds in all would decide. {QUIETLY}",
        ),
        (
            NOT_DECIDED,
            (nan, nan, nan),
            {},
            f"not decided; no ceiling was measured beside it (ceilings=true). {SUSPECTS}",
        ),
    ],
)
def test_a_verdict_is_a_sentence(
    verdict: str, loss: tuple[float, float, float], more: dict[str, Any], words: str
) -> None:
    ends = dict(zip(("loss", "low", "high"), loss, strict=True))
    assert sentence({**ROW, "verdict": verdict, **ends, **more}) == f"P_2 with 2 workers, no saving: {words}"


def test_the_written_verdicts_begin_with_what_others_read(tmp_path: Path) -> None:
    here: dict[str, Any] = {"experiment": "diagnosis"}
    dealt = cell("p2", 2, deal=[0] * 9 + [1] * 3, **here)
    stored(
        tmp_path,
        cell("sequential", 1, **here),
        dealt,
        cell("p2", 2, ablation="chunk_1", **here),
        copies(2, **here),
    )
    with pytest.raises(SystemExit) as end:
        main(["--results", str(tmp_path), "--experiment", "diagnosis"])
    assert not end.value.code
    written = pd.read_csv(tmp_path / "tables" / "diagnosis" / "verdicts.csv")
    names = ["strategy", "workers", "saving", "verdict", "loss", "low", "high", "suspected", "proved"]
    assert list(written)[: len(names)] == names
    [row] = written.to_dict("records")
    assert [row[name] for name in names[:4]] == ["p2", 2, False, "loss"]
    assert row["loss"] == pytest.approx(1 / 3, abs=0.01)  # 0.6 s of 0.9 s
    assert (row["suspected"], row["proved"]) == ("load imbalance", "load imbalance")


def test_a_row_per_cell_and_below_it_the_sentences_and_what_the_workload_contends_for(tmp_path: Path) -> None:
    same: dict[str, Any] = {"n_images": 3, "n_augmentations": 4, "trace": True}
    beside = interference({"copies": 1.5, "spinners": 1.0, "streamers": 1.4}, **same)
    cells = [cell("sequential", 1), cell("p2", 4), cell("p2", 2), cell("p1", 2), copies(2), copies(4), beside]
    [table] = shown(stored(tmp_path, *cells), "diagnosis")[0]["verdicts"]
    assert [[*row[:3], row[4]] for row in table.rows] == [
        ["no", "P_1", "2", "nothing to gain"],
        ["no", "P_2", "2", "nothing to gain"],
        ["no", "P_2", "4", "nothing to gain"],
    ]
    assert [row[6:] for row in table.rows] == [["memory", "-"]] * 2 + [["-", "-"]]  # at 4 not measured
    words = table.notes[: -len(NOTES)]
    assert [note.partition(",")[0] for note in words[:3]] == [
        f"{name} workers" for name in ("P_1 with 2", "P_2 with 2", "P_2 with 4")
    ]
    assert words[3].startswith("2 workers, no saving: the workload contends for memory")
