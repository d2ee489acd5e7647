"""What each policy gives back, as a table and as a chart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from experiments.analysis.ablation import recovered
from experiments.records.schema import FAILED
from experiments.report.__main__ import main
from experiments.report.sections.ablation import AXIS, ablation_figure
from experiments.report.style import look
from experiments.report.tables import Table
from tests.frames import Row, frame, repeated, trial
from tests.reports import shown, stored


def rounds(
    ablation: str, walls_s: list[float], strategy: str = "p2", workers: int = 2, **changes: Any
) -> list[Row]:
    return repeated(strategy, workers, *walls_s, experiment="ablation", ablation=ablation, **changes)


def table_of(folder: Path, rows: list[Row]) -> Table:
    (table,) = shown(stored(folder, trials=rows), "ablation")[0]["table"]
    return table


def test_without_a_baseline_the_time_ranks_and_noise_is_called_no_difference(tmp_path: Path) -> None:
    table = table_of(
        tmp_path,
        rounds("none", [1.0, 1.0, 1.0, 1.0])
        + rounds("tmpfs", [0.9, 1.1, 1.0, 1.02])
        + rounds("allocator", [0.5, 0.51, 0.5, 0.49]),
    )
    assert [row[4] for row in table.rows] == ["allocator", "tmpfs"]
    assert [row[6:9] for row in table.rows] == [["-", "-", "-"]] * 2
    assert [row[-1] for row in table.rows] == ["gives time back", "no difference"]


def test_one_round_decides_nothing(tmp_path: Path) -> None:
    sequential = rounds("none", [8.0], "sequential", 1)
    table = table_of(tmp_path, [*sequential, *rounds("none", [8.0]), *rounds("tmpfs", [5.0])])
    shown_row = ["P_2", "2", "yes", "study", "tmpfs", "1", "50.0 %", "80.0 %", "+30.0 (-)", "+38 (-)"]
    assert table.rows == [[*shown_row, "not decided: one round"]]
    assert "nan" not in table.text()


def test_a_cell_with_a_failed_trial_is_named(tmp_path: Path) -> None:
    failed = trial("p2", 2, None, experiment="ablation", ablation="tmpfs", round=2, status=FAILED)
    table = table_of(tmp_path, [*rounds("none", [8.0, 8.0]), *rounds("tmpfs", [4.0, 4.0]), failed])
    assert table.notes[-1] == "tmpfs with P_2 at 2 workers: failed."


GAINS = recovered(
    frame(
        rounds("none", [8.0, 8.0])
        + rounds("tmpfs", [8.0, 8.0])
        + rounds("allocator", [6.0, 6.0])
        + rounds("none", [8.0], "p1", 4)
        + rounds("spawn", [24.0], "p1", 4)  # thrice the time
    )
)


@pytest.fixture(scope="module")
def panels() -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in ablation_figure(GAINS, "Ablations").axes}


def dots(axes: Axes) -> PathCollection:
    (points,) = (each for each in axes.collections if isinstance(each, PathCollection))
    return points


def test_each_point_has_a_panel_in_the_colour_of_its_strategy(panels: dict[str, Axes]) -> None:
    assert list(panels) == ["P_1, 4 workers, saving, study", "P_2, 2 workers, saving, study"]
    edges: list[Any] = [dots(axes).get_edgecolor() for axes in panels.values()]
    assert [to_hex(edge[0]) for edge in edges] == [look(name)["color"].lower() for name in ("p1", "p2")]
    assert list(panels.values())[-1].get_xlabel() == AXIS


def test_the_ablation_that_gives_most_back_is_on_top_at_its_per_cent(panels: dict[str, Axes]) -> None:
    axes = panels["P_2, 2 workers, saving, study"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["allocator", "tmpfs"]
    bottom, top = axes.get_ylim()
    assert bottom > top, "the first is the uppermost"
    places: Any = dots(axes).get_offsets()
    assert [float(x) for x, _ in places] == pytest.approx([25.0, 0.0])
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [0, 0], "the zero line"


def test_what_is_off_the_scale_is_named_at_its_edge(panels: dict[str, Axes]) -> None:
    axes = panels["P_1, 4 workers, saving, study"]
    assert axes.get_xlim()[0] == -100
    assert [note.get_text() for note in axes.texts] == ["−200 %"]


def test_the_legend_names_the_interval_and_single_rounds() -> None:
    entries = ablation_figure(GAINS, "Ablations").legends[0].get_texts()
    assert {entry.get_text() for entry in entries} == {"mean, 95 % interval", "one round"}


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
    assert line.startswith("ablation: no ablation: no round with ablation=none")
