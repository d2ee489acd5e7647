"""Results on disk: whole, typed, one table, never written twice."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as some

from augment.temporary import PREFIX
from experiments.config.reference import REFERENCE, reference
from experiments.machine.conditions import listing_digest
from experiments.store import StoreError
from experiments.store import files as store
from experiments.store.columns import DETAIL_TABLES, FAILED, NOT_APPLICABLE, OK
from experiments.sweep.results_lock import prepare
from tests.helpers.trial_rows import trial


def written(results: Path, **changes: Any) -> Path:
    return store.write(results, "p1-2w", trial("p1", 2, **({"wall_s": 1.5} | changes)), ())


def test_schema_keeps_the_columns_that_other_programs_read() -> None:
    trials = (
        "experiment strategy workers width height saving earlier_ok status error wall_s outputs"
        " outputs_digest machine trial_id sweep round"
    )
    tasks = (
        "image_index augmentation_index process start_s read_s transform_s encode_s write_s"
        " cpu_user_s cpu_system_s minor_faults trial_id"
    )
    assert set(trials.split()) <= set(store.schema("trials").names)
    assert set(tasks.split()) <= set(store.schema("tasks").names)
    assert not store.schema("trials").field("status").nullable
    assert store.schema("trials").field("wall_s").nullable


def test_folder_of_trials_is_read_as_one_table(tmp_path: Path) -> None:
    for status, wall_s in ((OK, 1.5), (FAILED, None), (NOT_APPLICABLE, None)):
        written(tmp_path, status=status, wall_s=wall_s)
    table = pd.read_parquet(tmp_path / "trials" / "strong_scaling")
    assert sorted(table["status"]) == sorted([OK, FAILED, NOT_APPLICABLE])
    assert table["trial_id"].nunique() == 3
    for path in (tmp_path / "trials" / "strong_scaling").iterdir():
        assert pq.read_schema(path) == store.schema("trials")


def test_rows_of_a_cell_are_read_oldest_first(tmp_path: Path) -> None:
    for earlier_ok in (1, 0):
        written(
            tmp_path,
            cell="a" * 16,
            earlier_ok=earlier_ok,
            started_at=pd.Timestamp(2026, 1, 1 + earlier_ok, tz="UTC"),
        )
    written(tmp_path, cell="b" * 16)
    rows = store.trials_of(tmp_path, "strong_scaling", "a" * 16)
    assert [row["earlier_ok"] for row in rows] == [0, 1]
    assert store.trials_of(tmp_path, "weak_scaling", "a" * 16) == []


def test_damaged_file_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = written(tmp_path, cell="a" * 16), written(tmp_path, cell="a" * 16)
    bad.write_bytes(b"PAR1 not any more")
    (good.parent / "foreign.parquet").write_bytes(parquet_of({"a": [1]}))
    assert len(store.trials_of(tmp_path, "strong_scaling", "a" * 16)) == 1
    assert len(store.read(tmp_path / "trials", "trials")) == 1
    told = capsys.readouterr().err
    assert f"warning: {bad} is left out" in told
    assert "foreign.parquet is left out: not of this version of the suite, it has no column trial_id" in told
    assert bad.read_bytes() == b"PAR1 not any more"


def test_text_that_was_damaged_on_the_disk_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = written(tmp_path, cell="a" * 16), written(tmp_path, cell="b" * 16)
    content = bad.read_bytes()
    assert b"b" * 16 in content
    bad.write_bytes(content.replace(b"b" * 16, b"\xff" * 16))
    assert len(store.read(tmp_path / "trials", "trials")) == 1, good
    assert f"warning: {bad} is left out" in capsys.readouterr().err


def parquet_of(columns: dict[str, list[int]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def test_row_of_another_version_is_left_out_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    pq.write_table(pq.read_table(path).drop_columns(["opencv_threads"]), path)
    assert store.read(tmp_path, "trials").empty
    assert "has no column opencv_threads; remove or restore them" in capsys.readouterr().err


def trial_with_turns(number: int) -> tuple[dict[str, Any], list[tuple[str, pa.Table]]]:
    row = trial("p1", 2, 1.5, trial_id=f"{number:016x}")
    columns: dict[str, list[Any]] = {each.name: [None] for each in DETAIL_TABLES["turns"]}
    columns |= {name: [0] for name in columns if not store.schema("turns").field(name).nullable}
    columns |= {"trial_id": [row["trial_id"]], "neighbour": [f"neighbour {number}"]}
    return row, [("turns", pa.table(columns, store.schema("turns")))]


def test_detail_tables_are_read_one_trial_at_a_time(tmp_path: Path) -> None:
    for number in range(2):
        store.write(tmp_path, "p1-2w", *trial_with_turns(number))
    parts = store.DetailReader(tmp_path, "strong_scaling")
    assert list(parts.of("turns", "0" * 15 + "1", ["neighbour"])["neighbour"]) == ["neighbour 1"]
    assert parts.has("turns", "0" * 16)
    assert not parts.has("tasks", "0" * 16)
    assert parts.of("tasks", "0" * 16).empty


def test_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    folder = written(tmp_path).parent
    (folder / f"{PREFIX}dead").mkdir()
    (folder / f"{PREFIX}dead" / "p1-2w").write_bytes(b"half")
    assert len(pd.read_parquet(folder)) == 1
    prepare(tmp_path)
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("moment", ["written", "row is named", "all are named"])
def test_kill_at_any_moment_leaves_a_whole_trial_or_nothing(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = 0

    def replace_or_kill(source: Path, target: Path) -> None:
        nonlocal named
        if moment == ["written", "row is named", ""][named]:
            os._exit(9)
        os.rename(source, target)
        named += 1

    if (pid := os.fork()) == 0:
        monkeypatch.setattr(os, "replace", replace_or_kill)
        store.write(tmp_path, "p1-2w", *trial_with_turns(1))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (0 if moment == "all are named" else 9)
    prepare(tmp_path)
    kept = {table: len(store.read(tmp_path / table, table)) for table in ("trials", "turns")}
    assert kept == dict.fromkeys(kept, 0 if moment == "written" else 1)
    assert not list(tmp_path.rglob(".*"))


def test_files_of_a_living_writer_and_of_another_host_stay(tmp_path: Path) -> None:
    foreign = tmp_path / "turns" / "strong_scaling" / ".augment-another-host"
    foreign.mkdir(parents=True)
    row, details = trial_with_turns(1)

    def details_while_another_command_begins() -> Iterator[tuple[str, pa.Table]]:
        yield from details
        prepare(tmp_path)

    store.write(tmp_path, "p1-2w", row, details_while_another_command_begins())
    assert len(pd.read_parquet(tmp_path / "turns")) == len(pd.read_parquet(tmp_path / "trials")) == 1
    assert foreign.is_dir()


def test_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "trials").touch()
    with pytest.raises(StoreError, match=r"results_dir: .*trials.* cannot be written"):
        written(tmp_path)
    with pytest.raises(StoreError, match=r"^results_dir=.*/trials: cannot be written"):
        prepare(tmp_path / "trials")


def test_only_the_table_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "trials").touch()
    with pytest.raises(StoreError, match=r"^results_dir: [^:]*/trials/[^:]* cannot be written: [^:]*$"):
        store.write(tmp_path, "p1-2w", *trial_with_turns(1))


def test_row_without_a_required_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="machine"):
        written(tmp_path, machine=None)
    assert not list(tmp_path.rglob(".*"))


def test_any_file_name_can_stand_in_an_error(tmp_path: Path) -> None:
    written(tmp_path, status=FAILED, error="bad name \udcff.jpg")
    assert "udcff" in pd.read_parquet(tmp_path / "trials")["error"][0]


@given(some.dictionaries(some.text(), some.text(), min_size=1))
def test_digest_depends_on_every_file_and_on_no_order(files: dict[str, str]) -> None:
    pairs = list(files.items())
    assert listing_digest(pairs) == listing_digest(reversed(pairs))
    name, value = pairs[0]
    assert listing_digest(pairs) != listing_digest([(name, value + "x"), *pairs[1:]])


def test_reference_of_options_and_columns_is_up_to_date() -> None:
    assert REFERENCE.read_text() == reference(), "run: make schema"
