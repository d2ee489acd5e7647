"""What the report shows of transforms beside P workers."""

from pathlib import Path

import pytest

from experiments.analysis.scaling import NoTrialsError
from tests.reports import shown, stored
from tests.taskframes import Cells, Cost, cell


def spent(blur_s: float, flip_s: float) -> Cost:
    return Cost(user_s=0.1, transforms_s={"Blur": blur_s, "Flip": flip_s})


CELLS: list[Cells] = [
    cell("sequential", 1, spent(0.04, 0.01)),
    cell("p1", 2, spent(0.06, 0.01)),
    cell("p1", 16, spent(0.08, 0.04)),
    cell("p2", 2, spent(0.04, 0.02), scales=[1.0]),
]


def test_the_table_begins_with_the_dearest_transform(tmp_path: Path) -> None:
    tables, _ = shown(stored(tmp_path, *CELLS), "transforms")
    (table,) = tables["transforms"]
    assert table.columns[4:] == ["P_1\nP = 2", "P_1\nP = 16", "P_2\nP = 2"]
    assert table.rows == [
        ["Blur", "12", "40", "40.0 %", "1.50", "2.00", "1.00"],
        ["Flip", "12", "10", "10.0 %", "1.00", "4.00", "2.00"],
    ]
    assert table.notes[1].startswith("50 % of the transform stage is in no transform")


def test_the_chart_has_a_panel_per_transform_and_what_sharing_the_cpus_forces(tmp_path: Path) -> None:
    _, figures = shown(stored(tmp_path, *CELLS), "transforms")
    blur, flip = figures["transforms"].axes
    assert [axes.get_title().splitlines()[0] for axes in (blur, flip)] == ["Blur", "Flip"]
    lines = dict(zip(*reversed(blur.get_legend_handles_labels()), strict=True))
    assert list(lines["P / CPUs: shared CPUs alone"].get_ydata()) == [1, 2]  # of 2 and 16 workers on 8
    assert list(lines["P_1"].lines[0].get_ydata()) == pytest.approx([1.5, 2])
    assert "one repetition" in lines, "of P_2"
    assert [tick.get_text() for tick in flip.get_xticklabels()] == ["2", "16"]


def test_without_timed_transforms_the_section_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoTrialsError, match="no transforms were timed"):
        shown(stored(tmp_path, cell("sequential", 1), cell("p1", 2)), "transforms")
