"""What the report of a diagnosis shows: tables, charts and words."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.analysis.account import PARTS, AccountError, accounts
from experiments.analysis.scaling import NoTrialsError
from experiments.report.output import FORMATS
from experiments.report.sections.account import account_figure
from experiments.report.tables import Table
from tests.reports import shown, stored
from tests.taskframes import Cells, Cost, cell, frames, turns

SENT: dict[str, Any] = {"master_sent_bytes": 2_400_000, "master_threads_cpu_s": 0.1}
SAVING: dict[str, Any] = {"saving": True, "n_augmentations": 4}
SEQUENTIAL = cell("sequential", 1, Cost(read_s=0.01, write_s=0.02), **SAVING)
P1 = cell("p1", 2, Cost(user_s=0.09, write_s=0.02), startup_s=0.4, **SENT, **SAVING)
CELLS: list[Cells] = [
    SEQUENTIAL,
    P1,
    cell("p2", 2, Cost(user_s=0.11, read_s=0.02), **SAVING),
    cell("replicas", 2, **SAVING),
    turns(1.1, 2, rounds=4, probes={"compute": 1.0, "memory": 1.3}, **SAVING),
]
Shown = tuple[dict[str, list[Table]], dict[str, Figure]]


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return shown(stored(tmp_path_factory.mktemp("results"), *CELLS), "diagnosis")


def test_a_diagnosis_has_every_table_in_every_format(diagnosis: Shown) -> None:
    tables, figures = diagnosis
    assert list(tables) == ["diagnosis", "account", "pop", "ledger"]
    assert list(figures) == ["account", "ceilings"]
    for (table,) in tables.values():
        assert table.rows[0][1] in ("sequential", "P_1")
        assert "nan" not in "".join(render([table]) for name, render in FORMATS.items() if name != "csv")


def test_a_verdict_has_its_row_and_its_sentence(diagnosis: Shown) -> None:
    (table,) = diagnosis[0]["diagnosis"]
    (row,) = [line for line in table.rows if line[1] == "P_1"]
    assert row[:4] == ["yes", "P_1", "2", "coordination (serial master, transfer)"]
    sentences = [note for note in table.notes if " at 2 workers" in note]
    assert [note.split(",")[0] for note in sentences] == [
        "P_1 at 2 workers",
        "P_2 at 2 workers",
        "replicas at 2 workers",
    ]
    assert "coordination (serial master, transfer), " in sentences[0]


def test_the_account_is_in_per_cent_of_all_worker_seconds(diagnosis: Shown) -> None:
    (table,) = diagnosis[0]["account"]
    (row,) = [line for line in table.rows if line[1] == "P_1"]
    texts = dict(zip(table.columns, row, strict=True))
    # two workers for 0.4 + 6 x 0.09 = 0.94 s: 1.88 s, of which 1.2 s of reference work, 0.8 s of start-up
    assert texts["P x T (s)"] == "1.88"
    assert texts["reference"] == "63.8 %"
    assert texts["coordination\nstart-up"] == "42.6 %"
    assert texts["extra\nuser"] == "-6.4 %"


def test_pop_s_efficiencies_and_the_ledger_are_means(diagnosis: Shown) -> None:
    (pop,), (ledger,) = diagnosis[0]["pop"], diagnosis[0]["ledger"]
    (row,) = [line for line in pop.rows if line[1] == "P_1"]
    # load balance 100 %, communication 0.54 / 0.94, computation scaling 1.2 / 1.08
    assert row[4:8] == ["57.4 %", "100.0 %", "57.4 %", "111.1 %"]
    assert ledger.rows == [["yes", "P_1", "2", "0.2", "6", "2", "1", "0.1", "10.6 %"]]


def test_stacked_parts_reach_a_hundred_and_what_is_negative_lies_below_zero() -> None:
    figure = account_figure(accounts(*frames(SEQUENTIAL, P1)), "t")
    bars: list[Any] = list(figure.axes[0].patches)
    assert sum(bar.get_height() for bar in bars) == pytest.approx(200)
    assert min(bar.get_y() + bar.get_height() for bar in bars) < 0
    assert len(bars) == 2 * 2 * len(PARTS)


def test_the_ceilings_show_the_replicas_and_every_probe(diagnosis: Shown) -> None:
    (axes,) = diagnosis[1]["ceilings"].axes
    lines = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    assert {"P_1", "P_2", "replicas: the ceiling", "probe: memory copy", "ideal", "CPUs"} <= set(lines)
    assert list(lines["probe: memory copy"].lines[0].get_ydata()) == pytest.approx([100, 100 / 1.3])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2"]
    assert axes.get_ylabel() == "efficiency (%)"


def test_without_a_reference_there_is_no_diagnosis(tmp_path: Path) -> None:
    with pytest.raises(NoTrialsError, match="no sequential reference with recorded tasks"):
        shown(stored(tmp_path, P1), "diagnosis")


def test_tasks_that_were_lost_are_an_error(tmp_path: Path) -> None:
    lost = Cells(P1.trials, P1.tasks[1:])
    with pytest.raises(AccountError, match="11 tasks"):
        shown(stored(tmp_path, SEQUENTIAL, lost), "diagnosis")


def test_a_point_without_recorded_tasks_is_named(tmp_path: Path) -> None:
    tables, _ = shown(stored(tmp_path, *CELLS[:2], trials=CELLS[2].trials), "diagnosis")
    assert tables["diagnosis"][0].notes[-1].startswith("No account of P_2 at 2: no recorded tasks")


def test_trials_in_turns_are_no_points_of_a_scaling_table(tmp_path: Path) -> None:
    tables, _ = shown(stored(tmp_path, *CELLS), "scaling")
    assert set(pd.concat(table.data for table in tables["table"])["strategy"]) == {
        "sequential",
        "p1",
        "p2",
        "replicas",
    }
