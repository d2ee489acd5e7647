"""Packed results: few small files from which every report is the same."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from experiments.analysis import ceiling
from experiments.report.pack import main
from experiments.report.results import Results
from experiments.store import StoreError
from experiments.store.files import DetailReader
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cost, cell, copies, interference

pytestmark = pytest.mark.once
TASKS = Path("tasks/strong_scaling/tasks.parquet")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    p2 = cell("p2", 2, Cost(user_s=0.1234567, transforms_s={"Blur": 0.05}), gap_s=0.0123)
    cells = (cell("sequential", 1), p2, copies(2), interference({"copies": 1.3}, experiment="interference"))
    folder = tmp_path_factory.mktemp("results")
    for each in cells:
        stored(folder, each)
    return Results(folder, "strong_scaling")


@pytest.fixture(scope="module")
def packed(results: Results) -> Results:
    target = results.folder / "packed"
    main([str(results.folder), str(target)])
    return Results(target, "strong_scaling")


def test_packed_experiment_has_one_file_per_table_that_a_report_reads(packed: Results) -> None:
    written = {path.relative_to(packed.folder).as_posix() for path in packed.folder.rglob("*.parquet")}
    assert written == {
        "trials/interference/trials.parquet",
        "trials/strong_scaling/trials.parquet",
        "tasks/strong_scaling/tasks.parquet",
        "turns/interference/turns.parquet",
    }


def test_packed_tasks_of_a_bench_are_those_of_its_ceiling(tmp_path: Path) -> None:
    of_bench: dict[str, Any] = {"experiment": "bench"}
    p2 = cell("p2", 2, **of_bench)
    results = stored(tmp_path, cell("sequential", 1, **of_bench), copies(2, **of_bench), p2)
    main([str(tmp_path), str(tmp_path / "packed")])
    packed = Results(tmp_path / "packed", "bench")
    tasks = pq.read_table(packed.folder / "tasks/bench/tasks.parquet").to_pandas()
    assert {*tasks} == {"trial_id", *ceiling.COLUMNS}
    assert not {*tasks["trial_id"]} & {row["trial_id"] for row in p2.trials}
    table, again = (shown(each, "bench").tables["table"].markdown() for each in (results, packed))
    assert table == again


@pytest.mark.parametrize("section", ["scaling", "breakdown", "verdict"])
def test_packed_results_make_the_same_tables(section: str, results: Results, packed: Results) -> None:
    tables, again = (shown(each, section)[0] for each in (results, packed))
    assert tables
    assert {stem: each.markdown() for stem, each in tables.items()} == {
        stem: each.markdown() for stem, each in again.items()
    }


def test_packed_results_can_be_packed_again(packed: Results) -> None:
    target = packed.folder / "again"
    main([str(packed.folder), str(target)])
    for path in packed.folder.glob("t*/*/*.parquet"):
        assert pq.read_table(target / path.relative_to(packed.folder)).equals(pq.read_table(path))


def test_packed_time_is_right_to_the_microsecond(results: Results, packed: Results) -> None:
    for trial_id in results.trials["trial_id"]:
        rows, again = (each.parts.of("tasks", trial_id, ["process", "end_s"]) for each in (results, packed))
        assert (rows.dtypes == again.dtypes).all()
        assert again.to_numpy() == pytest.approx(rows.to_numpy(), abs=0.51e-6)


def test_column_that_was_not_packed_is_null_or_an_error(packed: Results, tmp_path: Path) -> None:
    (tmp_path / TASKS).parent.mkdir(parents=True)
    pq.write_table(pq.read_table(packed.folder / TASKS, columns=["trial_id"]), tmp_path / TASKS)
    parts, trial_id = DetailReader(tmp_path, "strong_scaling"), packed.trials["trial_id"].iloc[0]
    assert parts.of("tasks", trial_id, ["node"])["node"].isna().all()
    with pytest.raises(StoreError, match=f"tasks of trial {trial_id} cannot be read.*no column process"):
        parts.of("tasks", trial_id, ["process"])


def test_damaged_packed_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / TASKS
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 not any more")
    with pytest.raises(StoreError, match=f"{path} cannot be read"):
        DetailReader(tmp_path, "strong_scaling")
