"""Synthetic cells, task by task, with times chosen by hand; rows are `Trial` and `Task` records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import pandas as pd

from experiments.records.schema import Probe, Task, Trial
from tests.frames import trial

Cells = tuple[list[Trial], list[Task], list[Probe]]


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
    transforms_s: Mapping[str, float] | None = None  # of the busy seconds, if they were recorded

    @property
    def busy_s(self) -> float:
        return self.user_s + self.system_s + self.wait_s + self.blocked_s


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
    """A cell with a repetition for each of `scales`, by which its seconds are multiplied. `deal` names the
    worker of each task, in turn if not given; every worker begins after `startup_s`, waits `gap_s` after
    each task, and the last end is `drain_s` before the end of the trial."""
    cost = cost or Cost()
    dealt = deal or [number % workers for number in range(tasks)]
    trials, rows = [], []
    for repetition, scale in enumerate(scales):
        free = [startup_s * scale] * workers
        made = []
        for number, worker in enumerate(dealt):
            made.append((number, worker, free[worker]))
            free[worker] += (cost.busy_s + gap_s) * scale
        wall_s = max(start for _, _, start in made) + (cost.busy_s + drain_s) * scale
        common = {"n_images": 3, "n_augmentations": len(dealt) // 3, "tasks": len(dealt), "trace": True}
        measured = {"cpu_user_s": len(dealt) * (cost.user_s + cost.helpers_s) * scale, "opencv_threads": 1}
        measured |= {"cpu_system_s": len(dealt) * cost.system_s * scale, "usable_cpus": 8}
        measured |= {"kernel_before_s": 0.005, "kernel_after_s": 0.005, "saving": False}
        one = trial(strategy, workers, wall_s, repetition=repetition, **{**common, **measured, **changes})
        trials.append(one)
        rows += [_task(one, cost, scale, *where) for where in made]
    return trials, rows, []


def _task(of: Trial, cost: Cost, scale: float, number: int, worker: int, start_s: float) -> Task:
    per_image = of.n_augmentations
    return Task(
        experiment=of.experiment,
        cell=of.cell,
        repetition=of.repetition,
        image_index=number // per_image,
        augmentation_index=number % per_image,
        worker=worker,
        start_s=start_s,
        read_s=cost.read_s * scale,
        transform_s=(cost.busy_s - cost.read_s - cost.write_s) * scale,
        transforms_s=_scaled(cost.transforms_s, scale),
        send_s=0.0,
        encode_s=0.0,
        write_s=cost.write_s * scale,
        end_s=start_s + cost.busy_s * scale,
        cpu_user_s=(cost.user_s + cost.helpers_s) * scale,
        cpu_system_s=cost.system_s * scale,
        minor_faults=cost.faults,
        run_queue_wait_s=cost.wait_s * scale,
    )


def _scaled(seconds: Mapping[str, float] | None, scale: float) -> str | None:
    return None if seconds is None else json.dumps({name: one * scale for name, one in seconds.items()})


def turns(
    inflation: float,
    workers: int,
    kind: str = "user_s",
    rounds: int = 12,
    scales: Sequence[float] = (1.0, 1.01, 0.99),
    probes: Mapping[str, float] | None = None,
    **changes: Any,
) -> Cells:
    """A cell whose workers are at work alone and together by turns, and after each round the `probes` that
    inflate as told; the machine's speed, the same for all, is another in each round."""
    tasks = rounds * (workers + 1)
    options = {"tasks": tasks, "scales": scales, **changes}
    trials, rows, _ = cell("turns", workers, replace(Cost(user_s=0.0), **{kind: 0.1}), **options)  # type: ignore[arg-type]
    made: list[Task] = []
    ran: list[Probe] = []
    at = 0.0
    for number, row in enumerate(rows):
        turn, part = divmod(number % tasks, workers + 1)
        at = 0.0 if number % tasks == 0 else at
        speed = 1 + 0.5 * (turn % 3)
        factor = speed * (inflation if part else 1.0)
        worker = part - 1 if part else turn % workers
        made.append(_stretched(row, factor, worker, at))
        at += row.transform_s * factor if part in (0, workers) else 0.0
        for name, own in (probes or {}).items() if part == workers else ():
            ran += _run(row, name, turn % workers, at, 0.1 * speed)
            at += 0.1 * speed
            for one in range(workers):
                ran += _run(row, name, one, at, 0.1 * speed * own)
            at += 0.1 * speed * own
    return trials, made, ran


def _run(of: Task, name: str, worker: int, start_s: float, cpu_user_s: float) -> list[Probe]:
    trial = {"experiment": of.experiment, "cell": of.cell, "repetition": of.repetition}
    times = {"start_s": start_s, "end_s": start_s + cpu_user_s, "cpu_user_s": cpu_user_s}
    return [Probe(**trial, **times, probe=name, worker=worker, cpu_system_s=0.0, minor_faults=0)]  # type: ignore[arg-type]


def _stretched(row: Task, factor: float, worker: int, start_s: float) -> Task:
    names = ("transform_s", "cpu_user_s", "cpu_system_s")
    longer = {name: getattr(row, name) * factor for name in names}
    return replace(row, worker=worker, start_s=start_s, end_s=start_s + longer["transform_s"], **longer)


def frames(*cells: Cells) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials and tasks as they come out of parquet."""
    trials = pd.DataFrame([asdict(one) for made, *_ in cells for one in made])
    return trials, pd.DataFrame([asdict(one) for _, made, *_ in cells for one in made])


def probes_of(*cells: Cells) -> pd.DataFrame:
    """Their runs of probes as they come out of parquet."""
    names = [one.name for one in fields(Probe)]
    return pd.DataFrame([asdict(one) for _, _, ran in cells for one in ran], columns=names)
