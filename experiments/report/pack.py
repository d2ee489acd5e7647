"""The command that packs results into one file per table and experiment, with all that reports read.

python -m experiments.report.pack FROM TO
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis import ceiling
from experiments.store import StoreError
from experiments.store import files as store
from experiments.store.columns import DETAIL_TABLES

CEILING_ONLY = ("bench", "weak_scaling")  # experiments whose reports read no tasks but those of the ceiling
# The times of tasks as whole microseconds: their differences take a third of the space of 32-bit floats.
SECONDS = pa.decimal128(18, 6)


def pack(source: Path, target: Path) -> None:
    """Write the packed results of `source` to `target`. Raises StoreError."""
    for folder in sorted((source / "candidates").glob("*/")):
        _write(target, "candidates", folder.name, store.read(folder, "candidates"))
    for folder in sorted((source / "trials").glob("*/")):
        trials, reader = store.read(folder, "trials"), store.DetailReader(source, folder.name)
        _write(target, "trials", folder.name, trials)
        of_ceiling = trials[trials["strategy"].isin([Copies.name, Sequential.name])]
        for table in DETAIL_TABLES:
            is_part = table == "tasks" and folder.name in CEILING_ONLY
            columns = ["trial_id", *ceiling.COLUMNS] if is_part else None
            trial_ids = sorted((of_ceiling if is_part else trials)["trial_id"])
            recorded = [trial_id for trial_id in trial_ids if reader.has(table, trial_id)]
            if recorded and (table != "transforms" or folder.name == "advise"):  # no other report reads them
                rows = pd.concat(reader.of(table, trial_id, columns) for trial_id in recorded)
                _write(target, table, folder.name, rows)


def _write(target: Path, table: str, experiment: str, rows: pd.DataFrame) -> None:
    """Write the rows of an experiment; the seconds of tasks, which are many, as whole microseconds."""
    fields = [field for field in store.schema(table) if field.name in rows]
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
