"""Synthetic results on disk, and what their report shows."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from experiments.report.charts import Chart
from experiments.report.results import Results
from experiments.report.sections import sections_of
from experiments.report.tables import Table
from experiments.store import files as store
from experiments.store.columns import PARTS, schema
from tests.helpers.task_rows import Cells
from tests.helpers.trial_rows import Row


def stored(folder: Path, *cells: Cells, trials: Iterable[Row] = ()) -> Results:
    """Writes cells, and trials without tasks, of one experiment."""
    everything = [*cells, Cells(trials=list(trials))]
    for cell in everything:
        for trial in cell.trials:
            recorded = [
                (table, [row for row in getattr(cell, table) if row["trial_id"] == trial["trial_id"]])
                for table in PARTS
            ]
            parts = [(table, pa.Table.from_pylist(rows, schema(table))) for table, rows in recorded]
            store.write(folder, f"{trial['strategy']}-{trial['workers']}", trial, parts)
    return Results(
        folder, everything[0].trials[0]["experiment"] if cells else everything[-1].trials[0]["experiment"]
    )


def shown(results: Results, section: str) -> tuple[dict[str, list[Table]], dict[str, Figure]]:
    """Tables and figures, by the name of their file, of the section of that name."""
    (chosen,) = [each for each in sections_of(results.experiment) if each.name == section]
    outputs = list(chosen.show(results))
    return (
        {stem: list(content) for stem, content in outputs if not isinstance(content, Chart | pd.DataFrame)},
        {stem: content.figure for stem, content in outputs if isinstance(content, Chart)},
    )
