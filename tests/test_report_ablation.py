"""What each policy gives back, as a table and as a chart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer

from experiments.analysis.ablation import gains
from experiments.report.__main__ import main
from experiments.report.charts import look
from experiments.report.sections.ablation import ablation_figure
from experiments.report.tables import Table
from experiments.store.columns import FAILED
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, frames
from tests.helpers.trial_rows import Row, repeated, trial


def rounds(
    ablation: str, walls_s: list[float], strategy: str = "p2", workers: int = 2, **changes: Any
) -> list[Row]:
    return repeated(strategy, workers, *walls_s, experiment="ablation", ablation=ablation, **changes)


def table_of(folder: Path, *cells: Cells, trials: list[Row] | None = None) -> Table:
    (table,) = shown(stored(folder, *cells, trials=trials or []), "ablation")[0]["table"]
    return table


def test_each_gain_has_its_interval_the_most_given_back_first(tmp_path: Path) -> None:
    rows = [*rounds("none", [1.0, 1.0, 1.0, 1.0]), *rounds("allocator", [0.5, 0.5, 0.5, 0.5])]
    table = table_of(tmp_path, trials=[*rows, *rounds("spawn", [2.0, 2.0, 2.0, 2.0])])
    assert [(row[4], row[7]) for row in table.rows] == [
        ("allocator", "+50 % (+50 to +50)"),
        ("spawn", "-100 % (-100 to -100)"),
    ]


def test_one_round_has_no_interval(tmp_path: Path) -> None:
    table = table_of(tmp_path, trials=[*rounds("none", [8.0]), *rounds("tmpfs", [5.0])])
    assert table.rows == [["P_2", "2", "yes", "study", "tmpfs", "1", "200", "+38 % (no interval)", "-"]]


def test_the_counter_is_shown_without_and_with_the_ablation(tmp_path: Path) -> None:
    here: dict[str, Any] = {"experiment": "ablation"}
    cells = [
        cell("sequential", 1, **here),
        cell("p2", 2, Cost(faults=1000), deal=[0] * 9 + [1] * 3, **here),
        cell("p2", 2, Cost(faults=10), deal=[0] * 9 + [1] * 3, ablation="allocator", **here),
        cell("p2", 2, Cost(faults=1000), ablation="chunk_1", **here),
    ]
    assert {row[4]: row[8] for row in table_of(tmp_path, *cells).rows} == {
        "allocator": "faults 12,000 → 120",
        "chunk_1": "load imbalance 33 % → 0 %",
    }


def test_a_cell_with_a_failed_trial_is_named(tmp_path: Path) -> None:
    failed = trial("p2", 2, None, experiment="ablation", ablation="tmpfs", round=2, status=FAILED)
    table = table_of(tmp_path, trials=[*rounds("none", [8.0, 8.0]), *rounds("tmpfs", [4.0, 4.0]), failed])
    assert table.notes[0] == "tmpfs with P_2 at 2 workers: failed."


@pytest.fixture(scope="module")
def axes() -> Axes:
    trials = [
        *rounds("none", [8.0, 8.0]),
        *rounds("tmpfs", [8.0, 8.0]),
        *rounds("allocator", [6.0, 6.0]),
        *rounds("none", [8.0], "p1", 4),
        *rounds("spawn", [24.0], "p1", 4),  # thrice the time
    ]
    (axes,) = ablation_figure(gains(*frames(Cells(trials))), "Ablations").axes
    return axes


def test_a_row_of_the_chart_names_a_point_and_what_gives_most_back_comes_first(axes: Axes) -> None:
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["P_1, 4, saving: spawn", "P_2, 2, saving: allocator", "P_2, 2, saving: tmpfs"]
    bottom, top = axes.get_ylim()
    assert bottom > top, "the first is the uppermost"


def test_points_lie_at_their_per_cent_in_the_colour_of_the_strategy(axes: Axes) -> None:
    for strategy, per_cent, bars in zip(("p1", "p2"), ([-200.0], [25.0, 0.0]), axes.containers, strict=True):
        assert isinstance(bars, ErrorbarContainer)
        assert np.asarray(bars.lines[0].get_xdata()) == pytest.approx(per_cent)
        assert to_hex(bars.lines[0].get_color()) == look(strategy)["color"].lower()


def test_what_is_off_the_scale_is_named_at_its_edge(axes: Axes) -> None:
    assert axes.get_xlim()[0] == -100
    assert [note.get_text() for note in axes.texts] == ["◀ -200 %"]


def test_the_report_writes_the_chart(tmp_path: Path) -> None:
    stored(tmp_path, trials=[*rounds("none", [8.0]), *rounds("tmpfs", [4.0])])
    with pytest.raises(SystemExit) as end:
        main(["--results", str(tmp_path), "--experiment", "ablation"])
    assert not end.value.code
    charts = sorted(path.name for path in (tmp_path / "figures" / "ablation").iterdir())
    assert charts == ["time_given_back.png", "time_given_back.svg"]


def test_nothing_to_hold_against_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path, trials=rounds("none", [8.0]))
    with pytest.raises(SystemExit):
        main(["--results", str(tmp_path), "--experiment", "ablation"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ablation: no ablation: no cell with ablation=none")
