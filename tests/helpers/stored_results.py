"""Synthetic results on disk, and their report."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from experiments.report.__main__ import main
from experiments.report.charts import Chart
from experiments.report.results import Results
from experiments.report.sections import sections_of
from experiments.report.tables import Table
from experiments.store import files as store
from experiments.store.columns import DETAIL_TABLES
from tests.helpers.task_rows import Cells
from tests.helpers.trial_rows import Row


def stored(folder: Path, *cells: Cells, trials: Iterable[Row] = ()) -> Results:
    """Write cells, and trials without tasks, of one experiment; return its results."""
    everything = [*cells, Cells(trials=list(trials))]
    for cell in everything:
        for trial in cell.trials:
            recorded = [
                (table, [row for row in getattr(cell, table) if row["trial_id"] == trial["trial_id"]])
                for table in DETAIL_TABLES
            ]
            parts = [(table, pa.Table.from_pylist(rows, store.schema(table))) for table, rows in recorded]
            store.write(folder, f"{trial['strategy']}-{trial['workers']}", trial, parts)
    return Results(
        folder, everything[0].trials[0]["experiment"] if cells else everything[-1].trials[0]["experiment"]
    )


class Shown(NamedTuple):
    """The tables and figures of a section, by the name of their file."""

    tables: dict[str, Table]
    figures: dict[str, Figure]


def shown(results: Results, section: str) -> Shown:
    """Return what a section of the report shows."""
    [chosen] = [each for each in sections_of(results.experiment) if each.name == section]
    outputs = list(chosen.show(results))
    return Shown(
        {stem: content for stem, content in outputs if isinstance(content, Table)},
        {stem: content.figure for stem, content in outputs if isinstance(content, Chart)},
    )


def report(results: Results) -> int:
    """Run the command that reports an experiment, and return its exit status."""
    with pytest.raises(SystemExit) as end:
        main(["--results", str(results.folder), "--experiment", results.experiment])
    return int(end.value.code or 0)
