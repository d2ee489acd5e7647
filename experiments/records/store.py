"""Results on disk: one parquet file per cell, whole or not there, readable as one table."""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args

from experiments.records.schema import FAILED, OK, Probe, Record, Task, Trial

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

HOST = socket.gethostname()


class StoreError(OSError):
    """Results that cannot be written or read: one line with the file and the cause."""


def schema(record: type[Record]) -> "pa.Schema":
    """The parquet schema of a record: its fields' names, types and nullability."""
    import pyarrow as pa

    arrow = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        datetime: pa.timestamp("us", "UTC"),
    }
    columns = []
    for one in fields(record):
        kinds = get_args(one.type) if isinstance(one.type, UnionType) else (one.type,)
        columns.append(pa.field(one.name, arrow[kinds[0]], nullable=type(None) in kinds))
    return pa.schema(columns)


def write(
    results: Path,
    name: str,
    trials: Sequence[Trial],
    tasks: Sequence[Task] = (),
    probes: Sequence[Probe] = (),
    own: Path | None = None,
) -> Path:
    """Writes a cell's tasks, its probes if it ran any, and then, which makes it count, its trials; returns
    the latter file.

    An earlier file of that name gives way when its cell failed or is not complete, or when it is
    this sweep's `own`; any other stays, and the new one gets the time in its name. Raises StoreError."""
    folder = Path("trials", trials[0].experiment)
    if own:
        name = own.stem
    elif not _replaceable(results / folder / f"{name}.parquet"):
        name = f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    _write(results / "tasks" / trials[0].experiment / f"{name}.parquet", Task, tasks)
    if probes:
        _write(results / "probes" / trials[0].experiment / f"{name}.parquet", Probe, probes)
    path = results / folder / f"{name}.parquet"
    _write(path, Trial, trials)
    return path


def _write(path: Path, record: type[Record], rows: Sequence[Record]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    aside = path.with_name(f".{HOST}-{os.getpid()}.part")  # readers of the folder pass over dotted names
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            pq.write_table(
                pa.Table.from_pylist([_printable(asdict(row)) for row in rows], schema(record)), file
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as error:
        with suppress(OSError):  # the first error is the one to tell
            aside.unlink(missing_ok=True)
        raise StoreError(f"results_dir: {path} cannot be written: {error.strerror or error}") from error


def _printable(row: dict[str, Any]) -> dict[str, Any]:
    """Text as UTF-8, whatever bytes a file name in it is made of."""
    return {
        key: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for key, value in row.items()
    }


def finished(results: Path, experiment: str, name: str) -> bool:
    """Whether a cell of that name has been measured, or found not to apply; a failed one has not."""
    return any(_complete(path) for path in (results / "trials" / experiment).glob(f"{name}*.parquet"))


def _complete(path: Path) -> bool:
    """Whether the file holds every repetition of a cell, none failed. A damaged one does not;
    read_trials names it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["status", "repetitions"]).to_pydict()
    except (pa.ArrowException, OSError):
        return False
    statuses, wanted = table["status"], table["repetitions"]
    whole = len(statuses) >= wanted[0] if OK in statuses else bool(statuses)
    return whole and FAILED not in statuses


def _replaceable(path: Path) -> bool:
    """Whether nothing is lost when the file is written anew: it is not there, or holds a cell of
    ours that failed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return not path.exists() or (pq.read_schema(path).equals(schema(Trial)) and not _complete(path))
    except (pa.ArrowException, OSError):
        return False


def read_trials(folder: Path) -> "pd.DataFrame":
    """All trials below a folder as one table, a row per trial. A file that is damaged or not ours is
    named on stderr and left as it is; the rest is read."""
    return _read(folder, Trial)


def _read(folder: Path, record: type[Record]) -> "pd.DataFrame":
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in sorted(folder.rglob("[!.]*.parquet")):
        try:
            tables.append(_as_records(pq.read_table(path), schema(record)))
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            print(f"warning: {path} is left out: {reason}", file=sys.stderr)
    frame: pd.DataFrame = pa.concat_tables([schema(record).empty_table(), *tables]).to_pandas()
    return frame


def read_tasks(folder: Path) -> "pd.DataFrame":
    """All tasks below a folder as one table, a row per task, as read_trials() does."""
    return _read(folder, Task)


def read_probes(folder: Path) -> "pd.DataFrame":
    """All runs of probes below a folder as one table, as read_trials() does."""
    return _read(folder, Probe)


def _as_records(table: "pa.Table", wanted: "pa.Schema") -> "pa.Table":
    """A table in today's schema; columns that a file of an earlier version lacks are null. Raises
    ValueError for a file without the columns that every row has."""
    import pyarrow as pa

    lacking = [one for one in wanted if one.name not in table.column_names]
    if foreign := [one.name for one in lacking if not one.nullable]:
        raise ValueError(f"not ours, it has no column {', '.join(foreign[:3])}")
    for one in lacking:
        table = table.append_column(one, pa.nulls(len(table), one.type))
    return table.select(wanted.names).cast(wanted)


@contextmanager
def turn(results: Path) -> Iterator[None]:
    """Waits until no other sweep of this host measures into these results: cells measured at the
    same time would falsify each other, and the same cell would be measured twice."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        lock = os.open(results / f".turn-{HOST}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(
            f"results_dir={results}: cannot be written: {error.strerror}; give a folder to write to"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for abandoned in results.glob(f"*/*/.{HOST}-*.part"):  # its writer was killed, or it were its turn
            abandoned.unlink()
        yield
    finally:
        os.close(lock)
