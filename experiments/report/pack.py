"""Packs a folder of results: one file per table and experiment, with what reports read and nothing else.

python -m experiments.report.pack FROM TO
"""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from experiments.analysis.breakdown import BreakdownError
from experiments.analysis.scaling import NoTrialsError
from experiments.report.results import Results
from experiments.report.sections import reportable, sections_of
from experiments.store import files as store
from experiments.store.columns import schema

WHOLE_TABLES = ("trials", "plans", "candidates")
ZSTD: dict[str, Any] = {"compression": "zstd", "compression_level": 19}
# The times of tasks as whole microseconds: their differences take a third of the space of 32-bit floats.
SECONDS = pa.decimal128(18, 6)


class RememberingParts(store.DetailReader):
    """The tasks, transforms and turns of trials; `columns_read` holds, by table and trial, what was read."""

    def __init__(self, results: Path, experiment: str) -> None:
        super().__init__(results, experiment)
        self.columns_read: dict[str, dict[str, set[str]]] = {}

    def rows(self, table: str, trial_id: str, columns: list[str] | None = None) -> pa.Table:
        """Return the rows, and remember that they were asked for."""
        rows = super().rows(table, trial_id, columns)
        if len(rows):
            self.columns_read.setdefault(table, {}).setdefault(trial_id, set()).update(rows.column_names)
        return rows


def pack(source: Path, target: Path) -> None:
    """Write the packed results of `source` to `target`. Raises StoreError."""
    for table in WHOLE_TABLES:
        for folder in sorted((source / table).glob("*/")):
            path = target / table / folder.name / f"{table}.parquet"
            store.write_table(path, store.read_arrow(folder, table), **ZSTD)
    for experiment, parts in _read_by_reports(source).items():
        for table in parts.columns_read:
            path = target / table / experiment / f"{table}.parquet"
            _write_part(path, _rows_read(parts, table), table)


def _read_by_reports(source: Path) -> dict[str, RememberingParts]:
    """Read all that there is to report; return the parts of each experiment."""
    first = Results(source, "")
    parts = {experiment: RememberingParts(source, experiment) for experiment in reportable(source)}
    for experiment in parts:
        first.beside(experiment).parts = parts[experiment]
    for experiment in parts:
        for section in sections_of(experiment):
            with suppress(NoTrialsError, BreakdownError):
                for _ in section.show(first.beside(experiment)):
                    pass
    return parts


def _rows_read(parts: RememberingParts, table: str) -> pa.Table:
    """Return the rows of all trials that were read, sorted by trial, in all columns read of any of them."""
    read = parts.columns_read[table]
    columns = {"trial_id"}.union(*read.values())
    names = [name for name in schema(table).names if name in columns]
    return pa.concat_tables(parts.rows(table, trial_id, names) for trial_id in sorted(read))


def _write_part(path: Path, rows: pa.Table, table: str) -> None:
    """Write the rows of many trials; of tasks, which are many, with seconds in whole microseconds."""
    fields = [
        field.with_type(SECONDS) if table == "tasks" and pa.types.is_floating(field.type) else field
        for field in rows.schema
    ]
    seconds = {field.name: "DELTA_BINARY_PACKED" for field in fields if field.type == SECONDS}
    store.write_table(
        path,
        rows.cast(pa.schema(fields)),
        use_dictionary=[field.name for field in fields if field.name not in seconds],
        column_encoding=seconds,
        store_decimal_as_integer=True,
        **ZSTD,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack the results in FROM into the folder TO."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report.pack", description=main.__doc__)
    parser.add_argument("source", type=Path, metavar="FROM", help="folder of results")
    parser.add_argument("target", type=Path, metavar="TO", help="folder to write to")
    options = parser.parse_args(arguments)
    try:
        pack(options.source, options.target)
    except store.StoreError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
