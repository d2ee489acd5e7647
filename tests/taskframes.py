"""Synthetic cells, task by task, with times chosen by hand; rows of the tables of a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from experiments.records.schema import PARTS
from experiments.records.store import Parts
from tests.frames import Row, frame, repeated


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one task takes, in seconds; busy is the sum of what is not `helpers_s` of CPU beside it."""

    user_s: float = 0.1
    system_s: float = 0.0
    wait_s: float = 0.0
    blocked_s: float = 0.0
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
    probes: list[Row] = field(default_factory=list)


class InMemory(Parts):
    """The parts of trials that stand in no file."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self.tables = dict(tables)

    def has(self, table: str, trial_id: str) -> bool:
        return bool((self.tables[table]["trial_id"] == trial_id).any())

    def of(self, table: str, trial_id: str, columns: list[str] | None = None) -> pd.DataFrame:
        rows = self.tables[table]
        names = columns or [column.name for column in PARTS[table]]
        return rows.loc[rows["trial_id"] == trial_id, names].reset_index(drop=True)


def frames(*cells: Cells) -> tuple[pd.DataFrame, InMemory]:
    """Trials as they come out of parquet, and their parts."""
    tables = {
        table: frame([row for cell in cells for row in getattr(cell, table)], table)
        for table in ("trials", *PARTS)
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
    """A cell with a trial for each of `scales`, by which its seconds are multiplied. `deal` names the
    worker of each task, in turn if not given; every worker begins after `startup_s`, waits `gap_s` after
    each task, and the last end is `drain_s` before the end of the trial."""
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
        **{"kernel_before_s": 0.005, "kernel_after_s": 0.005},
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
    return {
        "trial_id": trial["trial_id"],
        "image_index": image_index,
        "augmentation_index": augmentation_index,
        "worker": worker,
        "start_s": start_s,
        "read_s": cost.read_s * scale,
        "transform_s": (cost.busy_s - cost.read_s - cost.write_s) * scale,
        "send_s": 0.0,
        "encode_s": 0.0,
        "write_s": cost.write_s * scale,
        "end_s": start_s + cost.busy_s * scale,
        "cpu_user_s": (cost.user_s + cost.helpers_s) * scale,
        "cpu_system_s": cost.system_s * scale,
        "minor_faults": cost.faults,
        "run_queue_wait_s": cost.wait_s * scale,
    }


def _transforms(task: Row, cost: Cost, scale: float) -> list[Row]:
    names = ("trial_id", "image_index", "augmentation_index")
    call = {name: task[name] for name in names} | {"weight": cost.transforms_weight}
    return [
        call | {"transform": name, "seconds": seconds * scale} for name, seconds in cost.transforms_s.items()
    ]


def turns(
    inflation: float,
    workers: int,
    kind: str = "user_s",
    rounds: int = 12,
    scales: Sequence[float] = (1.0, 1.01, 0.99),
    probes: Mapping[str, float] | None = None,
    **changes: Any,
) -> Cells:
    """A cell whose workers are at work alone and together by turns, and after each round the `probes`, each
    with its inflation; the machine's speed, the same for all, is another in each round."""
    tasks = rounds * (workers + 1)
    cost = replace(Cost(user_s=0.0), **{kind: 0.1})  # type: ignore[arg-type]
    result = cell("turns", workers, cost, tasks=tasks, scales=scales, **changes)
    at_s = 0.0
    for number, task in enumerate(result.tasks):
        turn, part = divmod(number % tasks, workers + 1)
        at_s = 0.0 if number % tasks == 0 else at_s
        speed = 1 + 0.5 * (turn % 3)
        factor = speed * (inflation if part else 1.0)
        for name in ("transform_s", "cpu_user_s", "cpu_system_s"):
            task[name] *= factor
        end_s = at_s + task["transform_s"]
        task |= {"worker": part - 1 if part else turn % workers, "start_s": at_s, "end_s": end_s}
        at_s = end_s if part in (0, workers) else at_s
        for name, own_inflation in (probes or {}).items() if part == workers else ():
            seconds = 0.1 * speed
            result.probes.append(_run(task, name, turn % workers, at_s, seconds))
            at_s += seconds
            together = (_run(task, name, worker, at_s, seconds * own_inflation) for worker in range(workers))
            result.probes.extend(together)
            at_s += seconds * own_inflation
    return result


def _run(task: Row, name: str, worker: int, start_s: float, cpu_user_s: float) -> Row:
    times = {"start_s": start_s, "end_s": start_s + cpu_user_s, "cpu_user_s": cpu_user_s}
    counts = {"cpu_system_s": 0.0, "minor_faults": 0}
    return {"trial_id": task["trial_id"], "probe": name, "worker": worker, **times, **counts}
