"""The detail tables of a trial, from the logs of all its processes, without a Python object per task."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from augment.task_log.layout import BATCH, STAGES, Role, Turn
from augment.task_log.reader import ProcessLog
from experiments.store.files import schema
from experiments.trial.supervisor import Outcome

TASK = ["image_index", "augmentation_index"]
COUNTERS = BATCH[1:]


def detail_tables(
    outcome: Outcome, trial_id: str, saving: bool, complete: bool
) -> Iterator[tuple[str, pa.Table]]:
    """Yield an ok trial's detail tables by name; turns, not tasks, if it is not `complete`."""
    if complete:
        yield "tasks", task_table(outcome.logs, outcome.begin, trial_id, saving)
        yield "transforms", transform_table(outcome.logs, trial_id)
    else:
        yield "turns", turn_table(outcome.logs, trial_id)


def task_table(logs: Sequence[ProcessLog], begin: float, trial_id: str, saving: bool) -> pa.Table:
    """Return a row for each task: its worker's part, and that of a separate saver (P_Q)."""
    transformed = _entries(logs, Role.WORKER).query("augmentation_index >= 0")
    tasks = transformed.merge(_entries(logs, Role.SAVER), "left", TASK, suffixes=("", "_saving"))

    def total(name: str) -> "pd.Series[float]":
        return tasks[name] + tasks[f"{name}_saving"].fillna(0)

    columns = {
        **{name: tasks[name] for name in TASK},
        "process": tasks["process"],
        "node": tasks["node"],
        "saving_process": tasks["process_saving"].fillna(tasks["process"]) if saving else [None] * len(tasks),
        "start_s": tasks["start"] - begin,
        "save_start_s": tasks["start_saving"] - begin,
        "end_s": tasks["end_saving"].fillna(tasks["end"]) - begin,
        **{f"{stage}_s": total(stage) for stage in STAGES},
        "file_wait_s": total("file_wait"),
        **{name: total(name) for name in COUNTERS},
    }
    return _table("tasks", columns, trial_id)


def transform_table(logs: Sequence[ProcessLog], trial_id: str) -> pa.Table:
    """Return a row for each call of a transform in the tasks whose transforms were timed."""

    def calls(log: ProcessLog) -> pa.Table:
        samples = log.samples
        columns = {
            **{name: log.tasks[name][samples["task"]] for name in TASK},
            "transform": pa.array(log.names, pa.string()).take(pa.array(samples["name"])),
            "seconds": samples["seconds"],
            "weight": samples["weight"],
        }
        return _table("transforms", columns, trial_id)

    return pa.concat_tables(calls(log) for log in logs if log.header.role is Role.WORKER)


def turn_table(logs: Sequence[ProcessLog], trial_id: str) -> pa.Table:
    """Return a row for each turn of the subject."""
    log = max(logs, key=lambda log: len(log.turns))
    turns = pd.DataFrame(log.turns, columns=Turn._fields)
    # The turn of each task; -1 before the first turn.
    turn = np.searchsorted(turns["first_task"], np.arange(len(log.tasks)), "right") - 1
    stages_s = sum(log.tasks[stage] for stage in STAGES)
    tasks = pd.DataFrame({"wall_s": stages_s} | {name: log.tasks[name] for name in COUNTERS[:2]})
    rows = turns.join(tasks.groupby(turn).sum(), how="inner")
    return _table("turns", {name: rows[name] for name in schema("turns").names[1:]}, trial_id)


def _entries(logs: Sequence[ProcessLog], role: Role) -> pd.DataFrame:
    """Return the tasks in the logs of a role, with each process's number among workers and savers."""
    working = [log for log in logs if log.header.role in (Role.WORKER, Role.SAVER)]
    return pd.concat(
        pd.DataFrame(log.tasks if log.header.role is role else log.tasks[:0]).assign(
            process=number, node=log.header.node.decode() or None
        )
        for number, log in enumerate(working)
    )


def _table(name: str, columns: Mapping[str, Any], trial_id: str) -> pa.Table:
    """Return a detail table of one trial in its schema."""
    trial_ids = pa.repeat(trial_id, len(next(iter(columns.values()))))
    return pa.table({"trial_id": trial_ids, **columns}, schema(name))
