"""The time that each policy saves."""

from datetime import timedelta
from math import exp
from pathlib import Path
from typing import Any

import pytest

from experiments.analysis.ablation import gains
from experiments.analysis.select import ABLATED, LeftOut, NoTrialsError, select
from experiments.report.tables import Table
from experiments.store.columns import FAILED
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, frames
from tests.helpers.trial_rows import BEGIN, Row, frame, repeated, trial


def rounds(
    ablation: str, walls_s: list[float], strategy: str = "p2", workers: int = 2, **changes: Any
) -> list[Row]:
    return repeated(strategy, workers, *walls_s, experiment="ablation", ablation=ablation, **changes)


def given(*trials: list[Row]) -> list[dict[Any, Any]]:
    """Return the rows of `gains` of trials without recorded tasks."""
    return gains(*frames(*map(Cells, trials))).to_dict("records")


def test_drift_from_round_to_round_cancels() -> None:
    drifting = [1.0, 1.5, 2.0, 1.2]
    [row] = given(rounds("none", drifting), rounds("allocator", [wall_s / 2 for wall_s in drifting]))
    assert [row["low"], row["gain"], row["high"]] == pytest.approx([0.5, 0.5, 0.5])
    assert row["rounds"] == 4


def test_interval_matches_a_calculation_by_hand() -> None:
    """The logarithm halves ± 0.1: standard error 0.1, t of one degree of freedom 12.706."""
    [row] = given(rounds("none", [1.0, 1.0]), rounds("allocator", [0.5 * exp(0.1), 0.5 / exp(0.1)]))
    assert [row["low"], row["high"]] == pytest.approx([1 - exp(1.2706) / 2, 1 - exp(-1.2706) / 2], abs=1e-4)


def test_rows_are_ranked_across_points() -> None:
    rows = given(
        rounds("none", [10.0, 10.0]),
        rounds("tmpfs", [8.0, 8.0]),
        rounds("none", [16.0, 16.0], workers=8),
        rounds("spawn", [8.0, 8.0], workers=8),
    )
    assert [(row["ablation"], row["workers"]) for row in rows] == [("spawn", 8), ("tmpfs", 2)]
    assert [row["gain"] for row in rows] == pytest.approx([0.5, 0.2])


def test_round_with_one_side_only_is_left_out() -> None:
    failed = trial("p2", 2, None, ablation="tmpfs", round=2, status=FAILED)
    alone = rounds("tmpfs", [1.0], sweep="other")
    [row] = given(rounds("none", [8.0, 8.0, 80.0]), [*rounds("tmpfs", [4.0, 4.0]), failed, *alone])
    assert row["gain"] == pytest.approx(0.5)


def test_baseline_of_another_workload_is_no_reference() -> None:
    with pytest.raises(NoTrialsError):
        given(rounds("none", [8.0], saving=False), rounds("tmpfs", [4.0]))


def test_counter_of_an_ablation_is_the_mean_of_a_trial_before_and_after() -> None:
    measured = [cell("sequential", 1), cell("p2", 2, Cost(faults=100))]
    changed = [cell("p2", 2, Cost(faults=10), ablation="allocator"), cell("p2", 2, ablation="spawn")]
    rows = gains(*frames(*measured, *changed)).set_index("ablation")
    assert list(rows.loc["allocator", ["counter", "before", "after"]]) == ["faults", 12 * 100, 12 * 10]
    assert rows.loc["spawn", ["counter", "before", "after"]].isna().all()


@pytest.mark.parametrize(
    "trials",
    [
        rounds("allocator", [1.0]),
        rounds("none", [1.0]),
        [trial("p2", 2, None, ablation="none", status=FAILED)],
    ],
    ids=["none untouched", "no ablation", "all failed"],
)
def test_trials_without_a_pair_are_an_error_of_one_line(trials: list[Row]) -> None:
    with pytest.raises(NoTrialsError, match="ablation=none"):
        given(trials)


def test_diagnosis_is_of_the_newest_pipeline() -> None:
    light = rounds("none", [8.0], pipeline="light", pipeline_digest="light")
    study = rounds("none", [9.0], started_at=BEGIN + timedelta(hours=1))
    kept, left_out = select(frame([*light, *study]), ABLATED)
    assert list(kept["pipeline"]) == ["study"]
    assert left_out == [LeftOut(1, ("pipeline_digest",))]


def test_every_ablation_is_kept_as_it_was_declared_last() -> None:
    later: dict[str, Any] = {"started_at": BEGIN + timedelta(hours=1)}
    changed = {"runtime": "new", **later}
    rows = [
        *rounds("spawn", [4.0], runtime="spawn"),
        *rounds("none", [9.0], pipeline_digest="old"),
        *rounds("none", [3.0], **later),
        *rounds("tmpfs", [2.0], output_file_system="tmpfs /tmp", strategy_options='{"chunksize": 1}'),
        *rounds("tmpfs", [2.0], output_file_system="tmpfs /dev/shm", **changed),
        *rounds("tmpfs", [1.0], output_file_system="tmpfs /dev/shm", **changed),
    ]
    kept, left_out = select(frame(rows), ABLATED)
    assert set(kept["trial_id"]) == {rows[place]["trial_id"] for place in (0, 2, 4, 5)}
    assert left_out == [LeftOut(2, ("pipeline_digest", "runtime"))]


def test_ablation_measured_with_other_code_is_left_out() -> None:
    old = rounds("tmpfs", [4.0], code_digest="old")
    new = rounds("none", [8.0], started_at=BEGIN + timedelta(hours=1))
    kept, left_out = select(frame([*old, *new]), ABLATED)
    assert list(kept["ablation"]) == ["none"]
    assert left_out == [LeftOut(1, ("code_digest",))]


def test_no_trials_are_an_error_of_one_line() -> None:
    with pytest.raises(NoTrialsError, match="no trials to report"):
        select(frame(rounds("none", [8.0])).iloc[:0], ABLATED)


def table_of(folder: Path, *cells: Cells, trials: list[Row] | None = None) -> Table:
    return shown(stored(folder, *cells, trials=trials or []), "ablation").tables["table"]


def test_table_has_a_row_per_ablation_with_its_interval(tmp_path: Path) -> None:
    rows = [*rounds("none", [1.0, 1.0, 1.0, 1.0]), *rounds("allocator", [0.5, 0.5, 0.5, 0.5])]
    table = table_of(tmp_path, trials=[*rows, *rounds("spawn", [2.0, 2.0, 2.0, 2.0])])
    assert table.rows == [
        ["P_2", "2", "yes", "allocator", "4", "2,000", "+50.0 % (+50.0 to +50.0)", "-"],
        ["P_2", "2", "yes", "spawn", "4", "500", "-100 % (-100 to -100)", "-"],
    ]


def test_counter_is_shown_without_and_with_the_ablation(tmp_path: Path) -> None:
    here: dict[str, Any] = {"experiment": "ablation"}
    cells = [
        cell("sequential", 1, **here),
        cell("p2", 2, Cost(faults=1000), deal=[0] * 9 + [1] * 3, **here),
        cell("p2", 2, Cost(faults=10), deal=[0] * 9 + [1] * 3, ablation="allocator", **here),
        cell("p2", 2, Cost(faults=1000), ablation="chunksize_1", **here),
    ]
    assert {row[3]: row[7] for row in table_of(tmp_path, *cells).rows} == {
        "allocator": "faults 12,000 → 120",
        "chunksize_1": "load imbalance 33 % → 0 %",
    }


def test_cell_with_a_failed_trial_is_named(tmp_path: Path) -> None:
    failed = trial("p2", 2, None, experiment="ablation", ablation="tmpfs", round=2, status=FAILED)
    table = table_of(tmp_path, trials=[*rounds("none", [8.0, 8.0]), *rounds("tmpfs", [4.0, 4.0]), failed])
    assert table.notes[0] == "tmpfs, P_2 with 2 workers: failed."
