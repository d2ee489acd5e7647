"""The time breakdown and the POP metrics as tables and as a chart, in numbers worked out by hand."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from experiments.analysis.scaling import NoTrialsError
from experiments.report.tables import Table
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cost, cell

# Of 2 x 2 s: worker 0 has 9 tasks of 0.15 s after 0.25 s, with gaps of 0.01 s, and T ends 0.32 s later.
SEQUENTIAL = cell("sequential", 1)
P1 = cell(
    *("p1", 2, Cost(user_s=0.12, system_s=0.01, wait_s=0.01, blocked_s=0.01, faults=1000)),
    deal=[0] * 9 + [1] * 3,
    startup_s=0.25,
    gap_s=0.01,
    drain_s=0.32,
)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Table]], dict[str, Figure]]:
    changed = cell("p1", 2, ablation="allocator")
    folder = tmp_path_factory.mktemp("breakdown")
    return shown(stored(folder, SEQUENTIAL, P1, changed), "breakdown")


def test_the_parts_are_shares_of_all_worker_seconds(content: tuple[dict[str, list[Table]], Any]) -> None:
    [table] = content[0]["breakdown"]
    row = dict(zip(table.columns, next(row for row in table.rows if row[1] == "P_1"), strict=True))
    assert {head.replace("\n", " "): text for head, text in row.items()} == {
        **{"saving": "no", "strategy": "P_1", "workers": "2", "P x T (s)": "4.00"},
        **{"reference": "30.0 %", "extra user": "6.0 %", "extra system": "3.0 %", "extra wait": "3.0 %"},
        **{"other processes": "0.0 %", "extra residual": "3.0 %", "steal": "0.0 %"},
        **{"load imbalance": "22.5 %", "start-up": "12.5 %", "gaps": "4.0 %", "drain": "16.0 %"},
        **{"page faults": "12,000"},
    }
    assert len(table.rows) == 2, "without the cell of which a policy was changed"
    assert set(table.data["ablation"]) == {"none"}


def test_the_efficiencies_multiply(
    content: tuple[dict[str, list[Table]], Any],
) -> None:
    """Useful 1.35 and 0.45 s of 2 s: balance 2/3, communication 0.675, scaling 1.2/1.8."""
    [table] = content[0]["pop"]
    [row] = [row for row in table.rows if row[1] == "P_1"]
    assert row[3:] == ["30.0 %", "45.0 %", "66.7 %", "67.5 %", "66.7 %"]


def test_the_bars_are_stacked_to_all_worker_seconds(content: tuple[Any, dict[str, Figure]]) -> None:
    (axes,) = content[1]["breakdown"].axes
    parts: Any = axes.containers
    heights = [[bar.get_height() for bar in part] for part in parts]
    assert [sum(bar) for bar in zip(*heights, strict=True)] == pytest.approx([100.0, 100.0])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["sequential, 1", "P_1, 2"]


def test_without_a_reference_there_is_no_breakdown(tmp_path: Path) -> None:
    with pytest.raises(NoTrialsError, match="no sequential reference with recorded tasks"):
        shown(stored(tmp_path, P1), "breakdown")
