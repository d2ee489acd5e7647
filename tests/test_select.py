"""Trials that may stand in one table: nothing is pooled that differs in a determining column."""

from datetime import timedelta
from typing import Any

import pytest

from experiments.analysis.select import STRONG, WEAK, LeftOut, NoTrialsError, select
from experiments.report.texts import left_out_note
from experiments.store.columns import DETERMINING, FAILED, OF_WORK, OK, Column, JsonObject, identity
from tests.helpers.trial_rows import BEGIN, Row, frame, repeated, trial

pytestmark = pytest.mark.once
LATER = BEGIN + timedelta(days=1)
LATEST = LATER + timedelta(days=1)


def kept(*rows: Row, axes: tuple[str, ...] = STRONG) -> list[str]:
    """Which of the trials may stand in one table, by their place."""
    chosen = set(select(frame(rows), axes)[0]["trial_id"])
    return [str(place) for place, row in enumerate(rows) if row["trial_id"] in chosen]


def others(column: Column, value: Any) -> list[Any]:
    """Values of a column other than this one."""
    if column.name == "strategy_options":
        return ['{"chunksize": 1}', '{"savers": 2}', '{"chunksize": 1, "savers": 2}']
    if column.kind is JsonObject:
        return ['{"numpy": "other", "cv2": "1"}']
    if column.kind is bool:
        return [not value]
    return [(value or 0) + 1] if column.kind in (int, float) else [f"{value}2"]


@pytest.mark.parametrize("axes", [STRONG, WEAK, tuple(OF_WORK)], ids=["strong", "weak", "work"])
@pytest.mark.parametrize("column", DETERMINING, ids=[column.name for column in DETERMINING])
def test_select_never_pools_trials_with_different_determining_columns(
    column: Column, axes: tuple[str, ...]
) -> None:
    first = trial("p2", 2, 1.0, output_file_system="ext4 /", savers=1)
    for value in [*others(column, first[column.name]), *([None] if column.nullable else [])]:
        second = first | {"trial_id": "second", "started_at": LATER, column.name: value}
        second["cell"] = identity(second)
        result, left_out = select(frame([first, second]), axes)
        points = result.groupby(list(axes), dropna=False)[["cell", "node"]].nunique(dropna=False)
        assert points.to_numpy().max() == 1
        assert (len(result) == 2) == (left_out == [])
        assert second["trial_id"] in set(result["trial_id"]), "the newest always stays"


@pytest.mark.parametrize(
    ("column", "value"), [("machine", "m2"), ("code_digest", "d" * 64), ("seed", 7), ("runtime", "other")]
)
def test_trials_unlike_the_newest_are_left_out_and_the_column_is_named(column: str, value: object) -> None:
    old = trial("sequential", 1, 10.0, **{column: value})
    result, left_out = select(frame([old, trial("p1", 2, 5.0, started_at=LATER)]), STRONG)

    assert result["strategy"].tolist() == ["p1"]
    assert left_out == [LeftOut(1, (column,))]


def test_select_keeps_trials_that_agree_without_a_note() -> None:
    rows = [*repeated("sequential", 1, 10.0, 11.0), *repeated("p1", 2, 5.0, 6.0, started_at=LATER)]
    rows += [
        trial("p1", 2, None, status=FAILED),
        *repeated("p1", 2, 7.0, 5.0, sweep="rerun", started_at=LATEST),
    ]
    result, left_out = select(frame(rows), STRONG)

    assert (len(result), left_out) == (7, [])


def test_trials_in_memory_and_on_disk_are_never_in_one_table() -> None:
    disk = [trial("sequential", 1, 10.0, output_file_system="ext4 /"), *repeated("p2", 2, 5.0, 5.0)]
    memory = {"output_file_system": "tmpfs /dev/shm", "strategy_options": '{"chunksize": 1}'}
    assert kept(*disk, trial("p2", 2, 10.0, started_at=LATER, **memory)) == ["3"]


def test_options_of_one_strategy_are_compared_within_it() -> None:
    rows = [
        trial("p2", 2, 1.0, strategy_options='{"chunksize": 1}'),
        trial("pq", 4, 1.0, strategy_options='{"savers": 1}', started_at=LATER),
        trial("p2", 4, 1.0, strategy_options='{"chunksize": 2}', started_at=LATEST),
    ]
    assert kept(*rows) == ["1", "2"]


@pytest.mark.parametrize("other", ["b", None])
def test_points_of_two_nodes_stand_in_one_table_but_trials_of_two_in_no_point(other: str | None) -> None:
    rows = [
        *repeated("p2", 2, 1.0, 1.0, node="a"),
        trial("p2", 4, 1.0, node="a"),
        trial("p2", 2, 9.0, node=other, started_at=LATER),
        trial("p2", 4, None, node=other, status=FAILED, started_at=LATER),
    ]
    assert len({row["cell"] for row in rows}) == 2
    result, left_out = select(frame(rows), STRONG)
    measured = result[result["status"] == OK]
    assert dict(zip(measured["workers"], measured["wall_s"], strict=True)) == {2: 9.0, 4: 1.0}
    assert left_out == [LeftOut(2, ("node",))]


def test_inputs_are_compared_within_a_size_where_sizes_are_the_axis() -> None:
    small, large = {"width": 100, "inputs_digest": "small"}, {"width": 200, "inputs_digest": "large"}
    rows = [
        trial("p1", 1, 1.0, **small),
        trial("p1", 2, 1.0, **large, started_at=LATER),
        trial("p1", 1, 1.0, **small | {"inputs_digest": "new"}, started_at=LATEST),
    ]
    assert kept(*rows, axes=WEAK) == ["1", "2"]
    assert kept(*rows) == ["2"]


def test_early_failure_belongs_to_the_trials_it_agrees_with() -> None:
    unknown = {"n_images": None, "width": None, "height": None, "inputs_digest": None}
    early = trial("p1", 2, None, status=FAILED, started_at=LATER, **unknown)
    assert kept(trial("sequential", 1, 10.0), trial("p1", 2, 5.0), early) == ["0", "1", "2"]


def test_no_trials_are_an_error_of_one_line() -> None:
    with pytest.raises(NoTrialsError, match="make strong-scaling"):
        select(frame([trial("p1", 2, 5.0)]).iloc[:0], STRONG)


def test_trial_with_other_outputs_than_sequential_is_in_no_table() -> None:
    saved: dict[str, Any] = {"outputs": 8, "hashed_outputs": 8}
    rows = [
        trial("p1", 2, 5.0, outputs_digest="other", **saved),
        trial("sequential", 1, 10.0, outputs_digest="right", started_at=LATER, **saved),
        trial("p2", 2, 5.0, outputs_digest="right", started_at=LATER, **saved),
        trial("dynamic", 2, 5.0, outputs_digest="other", started_at=LATEST, **saved),
        trial("threads", 2, 5.0, outputs_digest="sample", started_at=LATEST, outputs=8, hashed_outputs=2),
        trial("p2", 2, 5.0, outputs_digest=None, saving=False, started_at=LATEST),
    ]
    result, left_out = select(frame(rows), STRONG)
    assert result["strategy"].tolist() == ["sequential", "p2", "threads", "p2"]
    assert [left_out_note(each) for each in left_out] == ["left out: 2 trials of other outputs"]
