"""Rows of simulated trials and tasks, in the schema of real ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapreplace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from experiments.store.columns import DETAIL_TABLES, TRIALS, JsonObject, identity
from experiments.store.files import DetailReader, schema

Array = NDArray[np.float64]
BLANK = {str: "{}", JsonObject: "{}", int: 0, float: 0.0, bool: False}  # of a column that has no null
TASK_COLUMNS = [column.name for column in DETAIL_TABLES["tasks"]]


def trial_row(**values: Any) -> dict[str, Any]:
    """Return a row of `trials` with these values; its other columns are null or blank."""
    columns = {each.name: None if each.nullable else BLANK.get(each.kind) for each in TRIALS}
    row = columns | values
    return row | {"cell": identity(row)}


def frame(rows: Iterable[dict[str, Any]], table: str = "trials") -> pd.DataFrame:
    """Return rows as they come out of the parquet files of a table."""
    result: pd.DataFrame = pa.Table.from_pylist([*rows], schema(table)).to_pandas()
    return result


@dataclass
class SimulatedParts(DetailReader):
    """The tasks of simulated trials, kept in memory by `trial_id`."""

    tasks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    __hash__ = object.__hash__

    def has(self, table: str, trial_id: str) -> bool:
        """Return whether that part of a trial was recorded."""
        return table == "tasks" and trial_id in self.tasks

    def of(self, table: str, trial_id: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the rows of a part of one trial."""
        names = columns or [each.name for each in DETAIL_TABLES[table]]
        known = self.tasks[trial_id] if self.has(table, trial_id) else {}
        index: list[int] | None = None if known else []
        return pd.DataFrame({name: known.get(name, np.nan) for name in names}, index, copy=False)


def shared(seconds: Array, begins_s: Array) -> dict[str, Any]:
    """Return the columns of tasks, image by image, that workers take one after another.

    `seconds` has a row for each image and a column for each augmentation; a worker begins at its
    `begins_s`, and whoever is free first takes the next task.
    """
    free = sorted((float(begin_s), worker) for worker, begin_s in enumerate(begins_s))
    starts, workers = [], []
    for each_s in seconds.ravel().tolist():
        begin_s, worker = free[0]
        starts.append(begin_s)
        workers.append(worker)
        heapreplace(free, (begin_s + each_s, worker))
    return _columns(seconds, np.arange(seconds.size), np.array(starts), np.array(workers), seconds.ravel())


def copied(seconds: Array, begins_s: Array) -> dict[str, Any]:
    """Return the columns of tasks that every worker carries out all, each beginning at another place."""
    copies, tasks = len(begins_s), seconds.size
    places = (np.arange(tasks) + (np.arange(copies) * tasks // copies)[:, np.newaxis]) % tasks
    each_s = seconds.ravel()[places]
    starts_s = begins_s[:, np.newaxis] + np.cumsum(each_s, axis=1) - each_s
    workers = np.repeat(np.arange(copies), tasks)
    return _columns(seconds, places.ravel(), starts_s.ravel(), workers, each_s.ravel())


def _columns(
    seconds: Array, places: NDArray[Any], starts_s: Array, workers: NDArray[Any], each_s: Array
) -> dict[str, Any]:
    """Return tasks whose seconds are all of user CPU, four fifths of them in the transform."""
    values: dict[str, Any] = dict.fromkeys(TASK_COLUMNS, 0.0)
    images, augmentations = np.divmod(places, seconds.shape[1])
    values |= {"image_index": images, "augmentation_index": augmentations, "process": workers}
    values |= {"start_s": starts_s, "end_s": starts_s + each_s, "cpu_user_s": each_s}
    values |= {"read_s": 0.1 * each_s, "transform_s": 0.8 * each_s, "encode_s": 0.1 * each_s}
    return values | dict.fromkeys(("saving_process", "save_start_s"), np.nan)
