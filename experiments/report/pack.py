"""The command that packs results into one file per table and experiment, with only what reports read.

python -m experiments.report.pack FROM TO
"""

import argparse
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa

from experiments.analysis.breakdown import BreakdownError
from experiments.analysis.select import NoTrialsError
from experiments.report.results import Results
from experiments.report.sections import sections_below
from experiments.store import StoreError
from experiments.store import files as store
from experiments.store.files import schema

WHOLE_TABLES = ("trials", "candidates")
# The times of tasks as whole microseconds: their differences take a third of the space of 32-bit floats.
SECONDS = pa.decimal128(18, 6)


class RecordingReader(store.DetailReader):
    """A reader that keeps, by table and trial, the names of the columns that it has read."""

    def __init__(self, results: Path, experiment: str) -> None:
        super().__init__(results, experiment)
        self.columns_read: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def of(self, table: str, trial_id: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the rows of a table of one trial, and keep the names of their columns."""
        rows = super().of(table, trial_id, columns)
        if len(rows):
            self.columns_read[table][trial_id].update(map(str, rows))
        return rows


def pack(source: Path, target: Path) -> None:
    """Write the packed results of `source` to `target`. Raises StoreError."""
    for table in WHOLE_TABLES:
        for folder in sorted((source / table).glob("*/")):
            _write(target, table, folder.name, store.read(folder, table))
    for experiment, reader in _readers_of_reports(source).items():
        for table, read in reader.columns_read.items():
            columns = {"trial_id"}.union(*read.values())
            names = [name for name in schema(table).names if name in columns]
            rows = pd.concat(reader.of(table, trial_id, names) for trial_id in sorted(read))
            _write(target, table, experiment, rows)


def _readers_of_reports(source: Path) -> dict[str, RecordingReader]:
    """Return a reader per experiment, after every section has read through it."""
    sections = sections_below(Results(source, ""))
    readers = {results.experiment: RecordingReader(source, results.experiment) for _, results in sections}
    for _, results in sections:
        results.parts = readers[results.experiment]
    for section, results in sections:
        with suppress(NoTrialsError, BreakdownError):
            deque(section.show(results), maxlen=0)
    return readers


def _write(target: Path, table: str, experiment: str, rows: pd.DataFrame) -> None:
    """Write the rows of an experiment; the seconds of tasks, which are many, as whole microseconds."""
    fields = [field for field in schema(table) if field.name in rows]
    content = pa.Table.from_pandas(rows, pa.schema(fields), preserve_index=False)
    if table == "tasks":
        fields = [field.with_type(SECONDS) if pa.types.is_floating(field.type) else field for field in fields]
    store.write_table(
        target / table / experiment / f"{table}.parquet",
        content.cast(pa.schema(fields)),
        use_dictionary=[field.name for field in fields if field.type != SECONDS],
        column_encoding={field.name: "DELTA_BINARY_PACKED" for field in fields if field.type == SECONDS},
        store_decimal_as_integer=True,
        compression="zstd",
        compression_level=19,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack the results in FROM into the folder TO."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report.pack", description=main.__doc__)
    parser.add_argument("source", type=Path, metavar="FROM", help="folder of results")
    parser.add_argument("target", type=Path, metavar="TO", help="folder to write to")
    options = parser.parse_args(arguments)
    try:
        pack(options.source, options.target)
    except StoreError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
