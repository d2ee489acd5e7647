"""Synthetic cells, task by task, with times chosen by hand; rows of the tables of a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from experiments.store.columns import DETAIL_TABLES
from experiments.store.files import DetailReader
from tests.helpers.trial_rows import Row, frame, repeated


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The seconds of one task; busy are all but the CPU seconds of its helpers."""

    user_s: float = 0.1
    system_s: float = 0.0
    wait_s: float = 0.0
    blocked_s: float = 0.0
    file_wait_s: float = 0.0  # of the blocked seconds
    read_s: float = 0.0  # of the busy seconds
    write_s: float = 0.0  # of the busy seconds
    helpers_s: float = 0.0  # user CPU of helper threads
    faults: int = 0
    transforms_s: Mapping[str, float] = field(default_factory=dict)  # of the busy seconds, as recorded
    transforms_weight: float = 1.0

    @property
    def busy_s(self) -> float:
        return self.user_s + self.system_s + self.wait_s + self.blocked_s


@dataclass(frozen=True)
class Cells:
    """Trials and the rows of their parts."""

    trials: list[Row] = field(default_factory=list)
    tasks: list[Row] = field(default_factory=list)
    transforms: list[Row] = field(default_factory=list)
    turns: list[Row] = field(default_factory=list)


class InMemory(DetailReader):
    """The parts of trials that stand in no file."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self.tables = dict(tables)

    def has(self, table: str, trial_id: str) -> bool:
        return bool((self.tables[table]["trial_id"] == trial_id).any())

    def of(self, table: str, trial_id: str, columns: list[str] | None = None) -> pd.DataFrame:
        rows = self.tables[table]
        names = columns or [column.name for column in DETAIL_TABLES[table]]
        return rows.loc[rows["trial_id"] == trial_id, names].reset_index(drop=True)


def frames(*cells: Cells) -> tuple[pd.DataFrame, InMemory]:
    """Trials as they come out of parquet, and their parts."""
    tables = {
        table: frame([row for cell in cells for row in getattr(cell, table)], table)
        for table in ("trials", *DETAIL_TABLES)
    }
    return tables.pop("trials"), InMemory(tables)


def cell(
    strategy: str,
    workers: int,
    cost: Cost | None = None,
    *,
    tasks: int = 12,
    startup_s: float = 0.0,
    gap_s: float = 0.0,
    drain_s: float = 0.0,
    deal: Sequence[int] | None = None,
    scales: Sequence[float] = (1.0, 1.01, 0.99),
    **changes: Any,
) -> Cells:
    """Return a cell with a trial for each of `scales`, by which its seconds are multiplied.

    `deal` names the worker of each task, in turn if not given. Every worker begins after `startup_s` and
    waits `gap_s` after each task. The last task ends `drain_s` before the trial."""
    cost = cost or Cost()
    dealt = deal or [number % workers for number in range(tasks)]
    free, schedule = [startup_s] * workers, []
    for number, worker in enumerate(dealt):
        schedule.append((number, worker, free[worker]))
        free[worker] += cost.busy_s + gap_s
    wall_s = max(start_s for _, _, start_s in schedule) + cost.busy_s + drain_s
    columns = {
        **{"n_images": 3, "n_augmentations": len(dealt) // 3, "tasks": len(dealt), "trace": True},
        **{"usable_cpus": 8, "opencv_threads": 1, "saving": False},
    }
    trials = repeated(strategy, workers, *(wall_s * scale for scale in scales), **{**columns, **changes})
    result = Cells(trials)
    for trial, scale in zip(trials, scales, strict=True):
        user_s, system_s = cost.user_s + cost.helpers_s, cost.system_s
        measured = {"cpu_user_s": len(dealt) * user_s * scale, "cpu_system_s": len(dealt) * system_s * scale}
        trial |= {name: changes.get(name, value) for name, value in measured.items()}
        for number, worker, start_s in schedule:
            task = _task(trial, cost, scale, number, worker, start_s * scale)
            result.tasks.append(task)
            result.transforms.extend(_transforms(task, cost, scale))
    return result


def _task(trial: Row, cost: Cost, scale: float, number: int, worker: int, start_s: float) -> Row:
    image_index, augmentation_index = divmod(number, trial["n_augmentations"])
    task = {"trial_id": trial["trial_id"], "image_index": image_index, "process": worker}
    task |= {"augmentation_index": augmentation_index, "minor_faults": cost.faults}
    task |= {"start_s": start_s, "end_s": start_s + cost.busy_s * scale}
    seconds = {"read_s": cost.read_s, "write_s": cost.write_s, "send_s": 0.0, "encode_s": 0.0}
    seconds |= {"transform_s": cost.busy_s - cost.read_s - cost.write_s, "file_wait_s": cost.file_wait_s}
    seconds |= {"cpu_user_s": cost.user_s + cost.helpers_s, "cpu_system_s": cost.system_s}
    seconds |= {"run_queue_wait_s": cost.wait_s}
    return task | {name: value * scale for name, value in seconds.items()}


def _transforms(task: Row, cost: Cost, scale: float) -> list[Row]:
    names = ("trial_id", "image_index", "augmentation_index")
    call = {name: task[name] for name in names} | {"weight": cost.transforms_weight}
    return [
        call | {"transform": name, "seconds": seconds * scale} for name, seconds in cost.transforms_s.items()
    ]


def copies(workers: int, cost: Cost | None = None, **changes: Any) -> Cells:
    """Return a cell in which each copy does twelve tasks, `workers` of them at a time."""
    result = cell("copies", workers, cost, tasks=12 * workers, **changes)
    for number, task in enumerate(result.tasks):
        place = number % (12 * workers) // workers + 5 * task["process"]
        task["image_index"], task["augmentation_index"] = divmod(place % 12, 4)
    for trial in result.trials:
        trial |= {"tasks": 12, "n_augmentations": 4}
    return result


def interference(slower: Mapping[str, float], workers: int = 2, rounds: int = 4, **changes: Any) -> Cells:
    """Return a cell whose turns take `slower` times as long beside each neighbour.

    A turn takes 0.2 s beside idle neighbours, twice a round; the machine's speed differs between rounds.
    """
    result = Cells(repeated("interference", workers, 8.0, **({"saving": False} | changes)))
    [trial] = result.trials
    for number in range(rounds):
        for place, (neighbour, times) in enumerate((("idle", 1.0), ("idle", 1.0), *slower.items())):
            seconds = 0.2 * times * (1 + 0.3 * (number % 2)) * (1 + 0.004 * (number * place % 3))
            turn = {"trial_id": trial["trial_id"], "round": number, "neighbour": neighbour}
            cpu = {"cpu_user_s": 0.9 * seconds, "cpu_system_s": 0.0}
            result.turns.append(turn | {"wall_s": seconds, **cpu})
    return result
