"""Results on disk: one parquet file per trial, written once and whole; a folder is read as one table."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments import DATA
from experiments.store import StoreError
from experiments.store.columns import DETAIL_TABLES, TABLES, JsonObject

PUBLISHED = DATA / "results" / "published"


@cache
def schema(table: str) -> pa.Schema:
    """Return the parquet schema of one of TABLES."""
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    types |= {JsonObject: pa.string(), datetime: pa.timestamp("us", "UTC")}
    return pa.schema([pa.field(each.name, types[each.kind], each.nullable) for each in TABLES[table]])


def write(results: Path, label: str, row: Mapping[str, Any], details: Iterable[tuple[str, pa.Table]]) -> Path:
    """Write the detail tables of a trial and then its row; return the file of the row. Raises StoreError.

    An empty table is left out. The row gets its name first, once all are written. So no details are without a
    row, and `finish_or_remove_files` knows those that a killed command had no time to name.
    """
    name = Path(row["experiment"], f"{label}-{row['cell']}-{row['trial_id']}.parquet")
    with ExitStack() as written:
        for table, content in details:
            if content.num_rows:
                written.enter_context(_written(results / table / name, content))
            del content
        written.enter_context(_written(results / "trials" / name, _arrow("trials", [row])))
    return results / "trials" / name


def write_candidates(results: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the candidates of a search. Raises StoreError."""
    name = Path(rows[0]["experiment"], f"{rows[0]['sweep']}.parquet")
    write_table(results / "candidates" / name, _arrow("candidates", rows))


def _arrow(table: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as one of TABLES, text as valid UTF-8; file names in it may hold any bytes."""

    def valid(value: Any) -> Any:
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value

    printable = [{name: valid(value) for name, value in row.items()} for row in rows]
    return pa.Table.from_pylist(printable, schema(table))


def write_table(path: Path, table: pa.Table, **encoding: Any) -> None:
    """Write a file whole or not at all; `encoding` goes to pyarrow's `write_table`. Raises StoreError."""
    with _written(path, table, **encoding):
        pass


@contextmanager
def _written(path: Path, table: pa.Table, **encoding: Any) -> Iterator[None]:
    """Write a file that gets its name at the end of the block. Raises StoreError."""
    from augment.temporary import temporary_folder  # which reading does without

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(path.parent) as folder:  # readers ignore such folders, and names without suffix
            with open(folder / path.stem, "wb") as file:
                pq.write_table(table, file, **encoding)
                file.flush()
                os.fsync(file.fileno())
            del table  # before the next is built: a million tasks take gigabytes
            yield
            os.replace(folder / path.stem, path)
    except StoreError:  # of a table that is written meanwhile
        raise
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        advice = "free the disk or give another folder"
        raise StoreError(f"results_dir: {path} cannot be written: {reason}; {advice}") from error


def finish_or_remove_files(results: Path) -> None:
    """Name the details of rows that killed commands of this host have written; remove their other files."""
    from augment.temporary import PREFIX, locked, remove_abandoned

    for aside in (path for table in DETAIL_TABLES for path in (results / table).glob(f"*/{PREFIX}*/*")):
        row = results / "trials" / aside.parts[-3] / f"{aside.name}.parquet"
        with suppress(OSError), locked(aside.parent, wait=False):
            if row.exists():
                aside.rename(aside.parent.parent / row.name)
    for folder in results.glob("*/*/"):
        remove_abandoned(folder)


def trials_of(results: Path, experiment: str, cell: str) -> list[dict[str, Any]]:
    """Return the rows of one cell, oldest first. Damaged files do not count; `read` names them."""
    paths = (results / "trials" / experiment).glob(f"*-{cell}-*.parquet")
    return sorted((row for path in paths for row in _rows(path)), key=lambda row: row["started_at"])


@cache  # a record never changes
def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return list(_in_schema(_content(path), "trials").to_pylist())
    except (pa.ArrowException, OSError, ValueError):
        return []


def read(folder: Path, table: str) -> pd.DataFrame:
    """Return all rows of one of TABLES below a folder; name damaged and foreign files on stderr."""
    tables, left_out = [schema(table).empty_table()], dict[str, list[Path]]()
    for path in sorted(folder.rglob("[!.]*.parquet")):
        try:
            content = _in_schema(_content(path), table)
            content.validate(full=True)  # finds damaged text, on which `to_pandas` fails
            tables.append(content)
        except (pa.ArrowException, OSError, ValueError) as error:
            left_out.setdefault(str(error).partition("\n")[0], []).append(path)
    for reason, paths in left_out.items():
        files = f"{paths[0]} is" if len(paths) == 1 else f"{len(paths)} files such as {paths[0]} are"
        print(f"warning: {files} left out: {reason}; remove or restore them", file=sys.stderr)
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return frame


def _content(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return a whole file. `read_table`, which opens it as a dataset, takes twice as long for small ones."""
    with pq.ParquetFile(path) as file:
        return file.read(columns, use_threads=False)


def _in_schema(content: pa.Table, table: str, names: list[str] | None = None) -> pa.Table:
    """Return a file's content in the schema of one of TABLES, all its columns or those named.

    Raises ValueError if a column is missing; in detail tables a nullable one may be, and is null.
    """
    wanted = pa.schema([schema(table).field(name) for name in names]) if names else schema(table)
    if content.schema == wanted:
        return content
    lacking = [field for field in wanted if field.name not in content.column_names]
    if needed := [field.name for field in lacking if not (field.nullable and table in DETAIL_TABLES)]:
        raise ValueError(f"not of this version of the suite, it has no column {', '.join(needed[:3])}")
    for field in lacking:
        content = content.append_column(field, pa.nulls(len(content), field.type))
    return content.select(wanted.names).cast(wanted)


class DetailReader:
    """A reader of one experiment's detail tables, a trial at a time; packed results have a file per table."""

    def __init__(self, results: Path, experiment: str) -> None:
        """List the files. Raises StoreError if a file of all trials cannot be read."""
        self._sources: dict[tuple[str, str], Path | pa.Table] = {}
        for table in DETAIL_TABLES:
            for path in (results / table / experiment).glob("[!.]*.parquet"):
                if path.stem == table:
                    self._sources |= {(table, trial_id): rows for trial_id, rows in _by_trial(path)}
                else:
                    self._sources[table, path.stem.rpartition("-")[2]] = path

    def has(self, table: str, trial_id: str) -> bool:
        """Return whether that detail table of a trial was recorded."""
        return (table, trial_id) in self._sources

    def of(self, table: str, trial_id: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the rows of a detail table of one trial, none if not recorded. Raises StoreError."""
        source = self._sources.get((table, trial_id), schema(table).empty_table())
        try:
            content = _content(source, columns) if isinstance(source, Path) else source
            frame: pd.DataFrame = _in_schema(content, table, columns).to_pandas()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise StoreError(f"{table} of trial {trial_id} cannot be read: {error}") from error
        return frame


def _by_trial(path: Path) -> Iterator[tuple[str, pa.Table]]:
    """Yield the id and the rows of each trial in a file of all trials."""
    try:
        content = _content(path)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    places = content.select(["trial_id"]).to_pandas().groupby("trial_id").indices
    yield from ((str(trial_id), content.take(rows)) for trial_id, rows in places.items())
