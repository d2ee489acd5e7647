"""Results on disk: whole, typed, one table."""

from dataclasses import fields
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as some

from experiments.measure.rows import outputs_digest
from experiments.records import store
from experiments.records.document import README, document
from experiments.records.schema import FAILED, NOT_APPLICABLE, OK, Task, Trial
from tests.frames import trial


def test_the_schema_is_the_records() -> None:
    for record in (Trial, Task):
        assert store.schema(record).names == [one.name for one in fields(record)]
    assert not store.schema(Trial).field("status").nullable
    assert store.schema(Trial).field("wall_s").nullable


def test_names_that_others_rely_on() -> None:
    trial = (
        "experiment strategy workers width height saving repetition status error wall_s outputs"
        " outputs_digest machine"
    )
    task = (
        "image_index augmentation_index worker start_s read_s transform_s encode_s write_s"
        " cpu_user_s cpu_system_s minor_faults"
    )
    assert set(trial.split()) <= {one.name for one in fields(Trial)}
    assert set(task.split()) <= {one.name for one in fields(Task)}


def test_a_folder_of_cells_is_one_table(tmp_path: Path) -> None:
    for workers, status in ((1, OK), (2, FAILED), (3, NOT_APPLICABLE)):
        one = trial("p1", workers, 1.5 if status == OK else None, status=status)
        store.write(tmp_path, f"cell-{workers}", [one], [])
    table = pd.read_parquet(tmp_path / "trials" / "strong_scaling")
    assert sorted(table["workers"]) == [1, 2, 3]
    assert table["wall_s"].notna().sum() == 1
    assert pq.read_schema(next((tmp_path / "trials" / "strong_scaling").glob("*.parquet"))) == store.schema(
        Trial
    )


def test_only_a_failed_cell_gives_way(tmp_path: Path) -> None:
    def write(status: str) -> Path:
        return store.write(tmp_path, "cell", [trial("p1", 2, None, status=status, repetitions=1)], [])

    first = write(FAILED)
    assert not store.finished(tmp_path, "strong_scaling", "cell")
    assert write(OK) == first
    assert store.finished(tmp_path, "strong_scaling", "cell")
    assert write(OK) != first
    assert len(pd.read_parquet(first.parent)) == 2


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    path = store.write(tmp_path, "cell", [trial("p1", 2, None, status=OK, repetitions=1)], [])
    path.write_bytes(b"PAR1 not any more")
    assert not store.finished(tmp_path, "strong_scaling", "cell")
    assert store.write(tmp_path, "cell", [trial("p1", 2, None, status=OK, repetitions=1)], []) != path
    assert path.read_bytes() == b"PAR1 not any more"
    assert store.finished(tmp_path, "strong_scaling", "cell")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "trials").touch()
    with pytest.raises(store.StoreError, match=r"results_dir: .*trials.* cannot be written"):
        store.write(tmp_path, "cell", [trial("p1", 2, None, status=OK, repetitions=1)], [])


def test_any_file_name_can_be_told_in_an_error(tmp_path: Path) -> None:
    store.write(tmp_path, "cell", [trial("p1", 2, None, status=FAILED, error="bad name \udcff.jpg")], [])
    assert "udcff" in pd.read_parquet(tmp_path / "trials")["error"][0]


@given(some.dictionaries(some.text(), some.text(), min_size=1))
def test_the_digest_depends_on_every_file_and_on_no_order(files: dict[str, str]) -> None:
    pairs = list(files.items())
    assert outputs_digest(pairs) == outputs_digest(reversed(pairs))
    name, value = pairs[0]
    assert outputs_digest(pairs) != outputs_digest([(name, value + "x"), *pairs[1:]])


def test_the_readme_of_the_results_is_generated() -> None:
    assert README.read_text() == document(), "run: make schema"


def test_a_cell_of_fewer_repetitions_than_asked_for_is_not_finished(tmp_path: Path) -> None:
    def kept(count: int) -> bool:
        trials = [trial("p1", 2, 1.0, repetition=number, repetitions=2) for number in range(count)]
        store.write(tmp_path, f"cell-{count}", trials, [])
        return store.finished(tmp_path, "strong_scaling", f"cell-{count}")

    assert (kept(1), kept(2)) == (False, True)
