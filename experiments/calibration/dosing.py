"""The amounts by which planted causes take given shares of all worker-seconds, and the cells to measure."""

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from statistics import mean
from typing import Any

from omegaconf import OmegaConf

from augment.datasets.synthetic import Synthetic
from augment.runtime import Runtime, StartMethod
from augment.strategies.pool import P2, PoolStrategy
from experiments import DATA
from experiments.calibration.loads import LOADS, Load, unit_s
from experiments.calibration.slow_strategies import SlowHandOut, SlowStart
from experiments.config.cell import Cell
from experiments.config.options import Config

WORKERS = 2
N_IMAGES, N_AUGMENTATIONS = 2, 60
N_TASKS = N_IMAGES * N_AUGMENTATIONS
TASK_CPU_S = 0.012  # that a task computes
UNDOSED_TASK_CPU_S = 0.05  # if nothing is dosed: long enough to make the start of two processes negligible
OPENCV_THREADS = 4  # if helpers are planted
MAX_FILLING_SHARE = 0.9  # of a worker's time

Levels = Mapping[str, float]  # cause: share of all worker-seconds


class CaseFailedError(RuntimeError):
    """A case that could not be planted or measured; the message gives the reason."""


def task_cpu_s(levels: Levels) -> float:
    """Return the CPU seconds that a task computes besides its doses."""
    return TASK_CPU_S if levels else UNDOSED_TASK_CPU_S


def trial_s(levels: Levels) -> float:
    """Return the seconds of a trial in which the causes take their shares and computing takes the rest."""
    return N_TASKS * task_cpu_s(levels) / WORKERS / (1 - sum(levels.values()))


def load_s(levels: Levels, slowdown: float = 1.0) -> dict[str, float]:
    """Return the seconds of each load in a task, or in a process for a load of its first task.

    `slowdown` is the ratio of the times of the memory load beside another one and alone. The load
    `computing` comes last, because helper threads work meanwhile.
    """
    seconds = {}
    for cause in levels.keys() & LOADS.keys():
        n_tasks = 1 if cause == "slow warm-up" else N_TASKS / WORKERS
        seconds[cause] = levels[cause] * trial_s(levels) / n_tasks
    if level := levels.get("memory"):
        filling = filling_share(level, slowdown)
        seconds["memory"] = task_cpu_s(levels) * (filling - level) / (1 - filling)
    return seconds | {"computing": task_cpu_s(levels)}


def filling_share(level: float, slowdown: float) -> float:
    """Return the share f of its time for which a worker fills memory so that contention takes the level L.

    Two workers that meet by chance slow each other down for a share f of what they fill. Filling then takes
    1 + (slowdown - 1) f times as long, and L = f - f / (1 + (slowdown - 1) f). Raises CaseFailedError if
    memory is too fast for that.
    """
    share = level / 2 + sqrt(level**2 / 4 + level / (slowdown - 1)) if slowdown > 1 else 1.0
    if share > MAX_FILLING_SHARE:
        raise CaseFailedError(f"workers that fill memory slow each other down by {slowdown:.2f} times only")
    return share


def first_chunk(levels: Levels) -> int | None:
    """Return the number of tasks in the first of two chunks, or None for Pool's default.

    Of two workers with k and n - k tasks, the second idles for the share (2 k - n) / (2 k) of the time after
    the start.
    """
    if "load imbalance" not in levels:
        return None
    idle = levels["load imbalance"] / (1 - levels.get("start-up", 0.0))
    return round(N_TASKS / (WORKERS * (1 - idle)))


def dosed_strategy(levels: Levels) -> PoolStrategy:
    """Return P_2, a variant that loses time in starting workers, or P_1 that loses it in sending tasks."""
    if "transfer" in levels:
        return SlowHandOut(hand_out_s=trial_s(levels) / N_TASKS)
    if "start-up" in levels:
        return SlowStart(first_chunk(levels), start_s=levels["start-up"] * trial_s(levels))
    return P2(first_chunk(levels))


def dosed_pipeline(levels: Levels, folder: Path) -> dict[str, Any]:
    """Return a pipeline of the loads; the cost of a unit of each is measured now, in fresh processes."""
    path = f"{Load.__module__}.{Load.__name__}"
    spawn = get_context("spawn")
    with spawn.Pool(1) as fresh, spawn.Pool(1) as other:
        seconds = load_s(levels, _slowdown(fresh, other, folder) if "memory" in levels else 1.0)
        units = {load: fresh.apply(unit_s, (load, folder)) for load in seconds}
    if "threads" in seconds:
        seconds["threads"] /= OPENCV_THREADS - 1
    amounts = {load: load_seconds / units[load] for load, load_seconds in seconds.items()}
    # No integers, because tasks try a pipeline on images with a smaller side than its largest integer.
    whole = {load: amount if units[load] == 1 else float(round(amount)) for load, amount in amounts.items()}
    return {
        "transforms": [{"_target_": path, "load": load, "amount": count} for load, count in whole.items()]
    }


def _slowdown(one: Pool, other: Pool, folder: Path) -> float:
    """Return how many times as long filling memory takes if another process fills memory too."""
    fill = (unit_s, ("memory", folder))
    other.apply(*fill)  # has started, and has its array
    alone_s = one.apply(*fill)
    beside_s = [result.get() for result in (one.apply_async(*fill), other.apply_async(*fill))]
    return mean(beside_s) / alone_s


def dosed_cells(
    levels: Levels, saving: bool, folder: Path, rounds: int, pipeline: dict[str, Any] | None = None
) -> list[Cell]:
    """Return the cell with the planted causes, then its variants with each ablation that may remove one.

    The pipeline consists of the loads that are dosed, if none is given.
    """
    runtime = Runtime()
    ablations = ["allocator", "chunksize_1"]
    if "threads" in levels:
        runtime, ablations = replace(runtime, opencv_threads=OPENCV_THREADS), [*ablations, "one_thread"]
    if "start-up" in levels:
        runtime, ablations = replace(runtime, start_method=StartMethod.spawn), [*ablations, "fork"]
    config = Config(
        workers=WORKERS,
        image_size="64x48",  # a task tries its pipeline on images with a side below 32
        saving=saving,
        with_baseline=True,
        with_ceiling=True,
        with_interference="memory" in levels,
        results_dir=str(folder),
        scratch_dir=str(folder),
        repetitions=rounds,
        n_images=N_IMAGES,
        n_augmentations=N_AUGMENTATIONS,
        strategy=dosed_strategy(levels),
        dataset=Synthetic(),
        pipeline=pipeline or dosed_pipeline(levels, folder),
        runtime=runtime,
    )
    plain = Cell(config, pipeline="planted")
    cells = [plain, *(ablated_cell(plain, name) for name in ablations)]
    if "transfer" in levels:  # P_2 removes it, because it sends no pixels
        cells.append(replace(plain, config=replace(config, strategy=P2())))
    return cells


def ablated_cell(cell: Cell, name: str) -> Cell:
    """Return the cell with the file conf/ablation/NAME.yaml applied."""
    changes = OmegaConf.load(DATA / "conf" / "ablation" / f"{name}.yaml")
    config: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cell.config), changes))
    return replace(cell, config=config, ablation=name)
