"""What the machine itself allows: probes run as P copies that never speak, and `replicas`.

A probe's task is one fixed run of a kernel. Its inflation at P is what a task costs with P copies
over what it costs with one: user CPU, system CPU, or seconds by the clock. What `replicas` loses is
the machine's; what a strategy loses below it is the strategy's.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.record import OK
from experiments.reporting.costs import costs
from experiments.reporting.scaling import SEQUENTIAL

REPLICAS = "replicas"
PREFIX = "probe_"
COMPUTE, MEMORY, PAGES = "probe_compute", "probe_memory", "probe_pages"
PROBES = {  # pipeline: what it is called
    COMPUTE: "compute in the core's caches",
    MEMORY: "memory copy",
    PAGES: "fresh pages",
    "probe_small_files": "small files",
    "probe_large_files": "large files",
}
KINDS = {"user": "user_s", "system": "system_s", "wall": "busy_s"}  # of inflation: column of the costs
DRAWS = 1000
PERCENT = (2.5, 97.5)
COLUMNS = ["probe", "workers", "repetitions", "kind", "value", "low", "high"]

Array = npt.NDArray[np.float64]


def is_probe(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials run a probe and not the workload."""
    return trials["pipeline"].str.startswith(PREFIX)


def inflations(trials: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Per probe, worker count and kind (`user`, `system`, `wall`) the inflation per task and its 95 %
    interval from resampled repetitions; NaN where one copy takes next to nothing of that kind, and
    an interval of NaN where a side has one repetition only."""
    probes = trials[is_probe(trials) & (trials["status"] == OK)]
    by_trial = dict(list(tasks.groupby(["cell", "repetition"])))
    rows = []
    for probe, block in probes.groupby("pipeline"):
        per_task = [
            {"workers": trial["workers"], "strategy": trial["strategy"]} | _per_task(by_trial[key])
            for trial in block.to_dict("records")
            if (key := (trial["cell"], trial["repetition"])) in by_trial
        ]
        found = pd.DataFrame(per_task, columns=["workers", "strategy", *KINDS, "total"])
        one = _one_copy(found)
        for workers, here in found.groupby("workers"):
            for kind in KINDS if len(one) else ():
                rows.append([probe, workers, len(here), kind, *_ratio(one, here, kind)])
    return pd.DataFrame(rows, columns=COLUMNS)


def _one_copy(found: pd.DataFrame) -> pd.DataFrame:
    """The trials with one copy: of `replicas` if there are, which differ in the count alone."""
    one = found[found["workers"] == 1]
    same = one[one["strategy"] != SEQUENTIAL]
    return one if same.empty else same


def _per_task(tasks: pd.DataFrame) -> dict[str, float]:
    spent = costs(tasks)
    each = {kind: float(getattr(spent, column)) / len(tasks) for kind, column in KINDS.items()}
    return each | {"total": each["wall"]}


LEAST_SHARE = 0.05  # of a task's seconds: what takes less tells nothing when it inflates


def _ratio(one: pd.DataFrame, here: pd.DataFrame, kind: str) -> tuple[float, float, float]:
    base, value = one[kind].to_numpy(float), here[kind].to_numpy(float)
    if base.mean() < LEAST_SHARE * one["total"].mean():
        return (float("nan"),) * 3
    return ratio_of_means(value, base)


def ratio_of_means(values: Array, base: Array) -> tuple[float, float, float]:
    """Of repetitions on both sides, with its 95 % interval from resampling them; an interval of NaN where
    a side has one repetition only."""
    middle = values.mean() / base.mean()
    if min(len(base), len(values)) < 2:
        return float(middle), float("nan"), float("nan")
    random = np.random.default_rng(0)
    low, high = np.percentile(resampled(random, values) / resampled(random, base), PERCENT)
    return float(middle), float(low), float(high)


def resampled(random: np.random.Generator, values: Any, draws: int = DRAWS) -> Array:
    """Means of `values` (first axis: repetitions) drawn with replacement, `draws` times."""
    numbers = np.asarray(values, dtype=float)
    drawn: Array = numbers[random.integers(len(numbers), size=(draws, len(numbers)))].mean(axis=1)
    return drawn


def inflation(found: pd.DataFrame, probe: str, workers: int, kind: str) -> tuple[float, float, float] | None:
    """A probe's inflation at `workers`, low and high; None where it was not measured there."""
    row = found[(found["probe"] == probe) & (found["workers"] == workers) & (found["kind"] == kind)]
    if row.empty or pd.isna(row["value"].iloc[0]):
        return None
    value, low, high = (float(row[name].iloc[0]) for name in ("value", "low", "high"))
    return value, low, high


def probe_efficiencies(found: pd.DataFrame) -> pd.DataFrame:
    """Per probe and worker count the efficiency 1 / inflation by the clock, `_min` and `_max`."""
    wall = found[found["kind"] == "wall"]
    return pd.DataFrame(
        {
            "probe": wall["probe"],
            "workers": wall["workers"],
            "repetitions": wall["repetitions"],
            "efficiency": 1 / wall["value"],
            "efficiency_min": 1 / wall["high"],
            "efficiency_max": 1 / wall["low"],
        }
    ).reset_index(drop=True)
