"""How much of a cause is planted so that it takes a share of all worker-seconds, and the cells to measure."""

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
from augment.recording.processes import StartMethod
from augment.runtime import Runtime
from augment.strategies.pool import P2
from experiments import ROOT
from experiments.calibration.loads import LOADS, Loads, unit_s
from experiments.calibration.slow_strategies import SlowHandOut, SlowStart
from experiments.plan.cell import Cell
from experiments.plan.options import Config

WORKERS = 2
N_IMAGES, N_AUGMENTATIONS = 2, 60
N_TASKS = N_IMAGES * N_AUGMENTATIONS
BASE_S = 0.012  # CPU seconds that a task computes
UNDOSED_BASE_S = 0.05  # where nothing is dosed: so long that starting two processes takes no time to speak of
OPENCV_THREADS = 4  # where helpers are planted
MOST_FILLING = 0.9  # of a worker's time

Levels = Mapping[str, float]  # cause: share of all worker-seconds


class TryFailedError(RuntimeError):
    """A try could not be made; the message says why."""


def base_s(levels: Levels) -> float:
    """What a task computes besides its doses, in CPU seconds."""
    return BASE_S if levels else UNDOSED_BASE_S


def trial_s(levels: Levels) -> float:
    """Seconds of a trial in which the causes take their shares, and computing the rest."""
    return N_TASKS * base_s(levels) / WORKERS / (1 - sum(levels.values()))


def load_s(levels: Levels, slowdown: float = 1.0) -> dict[str, float]:
    """Seconds that each planted load takes of a task by itself; of a process where only its first task has
    it. `slowdown`: of the memory load beside another one."""
    seconds = {}
    for cause in levels.keys() & LOADS.keys():
        tasks = 1 if cause == "slow warm-up" else N_TASKS / WORKERS
        seconds[cause] = levels[cause] * trial_s(levels) / tasks
    if level := levels.get("memory"):
        filling = filling_share(level, slowdown)
        seconds["memory"] = base_s(levels) * (filling - level) / (1 - filling)
    return seconds | {"computing": base_s(levels)}  # last: helpers are at work meanwhile


def filling_share(level: float, slowdown: float) -> float:
    """The share f of its time that a worker fills memory where contention takes a level L of it: two workers
    that meet by chance are slowed down for a share f of what they fill, so that filling takes
    1 + (slowdown - 1) f times as long, and L = f - f / (1 + (slowdown - 1) f). Raises TryFailedError where
    memory is too fast for that."""
    share = level / 2 + sqrt(level**2 / 4 + level / (slowdown - 1)) if slowdown > 1 else 1.0
    if share > MOST_FILLING:
        raise TryFailedError(f"workers that fill memory slow each other down by {slowdown:.2f} times only")
    return share


def chunk(levels: Levels) -> int | None:
    """Tasks in the first of two chunks, so that the worker with the other one idles for its share of what is
    left after the start: of two workers with k and n - k tasks (2 k - n) / (2 k). None: Pool's own."""
    if "load imbalance" not in levels:
        return None
    idle = levels["load imbalance"] / (1 - levels.get("start-up", 0.0))
    return round(N_TASKS / (WORKERS * (1 - idle)))


def strategy(levels: Levels) -> P2:
    """P_2, or one like it that loses time in dealing."""
    if "transfer" in levels:
        return SlowHandOut(hand_out_s=trial_s(levels) / N_TASKS)
    if "start-up" in levels:
        return SlowStart(chunk(levels), start_s=levels["start-up"] * trial_s(levels))
    return P2(chunk(levels))


def pipeline(levels: Levels, folder: Path) -> dict[str, Any]:
    """The loads as transforms. What a unit of each takes is measured now, in fresh processes, for outputs in
    the folder."""
    path = f"{Loads.__module__}.{Loads.__name__}"
    spawn = get_context("spawn")
    with spawn.Pool(1) as fresh, spawn.Pool(1) as other:
        seconds = load_s(levels, _slowdown(fresh, other, folder) if "memory" in levels else 1.0)
        units = {load: fresh.apply(unit_s, (load, folder)) for load in seconds}
    if "threads" in seconds:
        seconds["threads"] /= OPENCV_THREADS - 1
    amounts = {load: each / units[load] for load, each in seconds.items()}
    whole = {load: amount if units[load] == 1 else round(amount) for load, amount in amounts.items()}
    return {"transforms": [{"_target_": path, "load": load, "amount": each} for load, each in whole.items()]}


def _slowdown(one: Pool, other: Pool, folder: Path) -> float:
    """Of filling memory beside another process that does."""
    fill = (unit_s, ("memory", folder))
    other.apply(*fill)  # has started, and has its array
    alone_s = one.apply(*fill)
    beside_s = [each.get() for each in (one.apply_async(*fill), other.apply_async(*fill))]
    return mean(beside_s) / alone_s


def cells(levels: Levels, saving: bool, folder: Path, rounds: int) -> list[Cell]:
    """The cell in which the causes are planted, and the same with each ablation that may remove one."""
    runtime = Runtime()
    ablations = ["allocator", "chunk_1"]
    if saving:
        ablations += ["tmpfs"]
    if "threads" in levels:
        runtime, ablations = replace(runtime, opencv_threads=OPENCV_THREADS), [*ablations, "one_thread"]
    if "start-up" in levels:
        runtime, ablations = replace(runtime, start_method=StartMethod.spawn), [*ablations, "fork"]
    config = Config(
        workers=WORKERS,
        image_size="40x30",
        saving=saving,
        baseline=True,
        ceilings=True,
        interference="memory" in levels,
        results_dir=str(folder),
        scratch_dir=str(folder),
        repetitions=rounds,
        n_images=N_IMAGES,
        n_augmentations=N_AUGMENTATIONS,
        strategy=strategy(levels),
        dataset=Synthetic(),
        pipeline=pipeline(levels, folder),
        runtime=runtime,
    )
    untouched = Cell(config, pipeline="planted")
    return [untouched, *(ablated(untouched, name) for name in ablations)]


def ablated(cell: Cell, name: str) -> Cell:
    """The cell with that file of conf/ablation applied."""
    changes = OmegaConf.load(ROOT / "conf" / "ablation" / f"{name}.yaml")
    config: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cell.config), changes))
    return replace(cell, config=config, ablation=name)
