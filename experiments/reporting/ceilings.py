"""What the machine itself allows: `replicas`, and in turns, alone and together, probes and workload.

What `replicas` lose is the machine's; what a strategy loses below them is the strategy's. What a task
costs in company of all others over what it costs alone is its inflation: in user CPU, in system CPU,
or by the clock (see `company`).
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.record import OK
from experiments.reporting.company import KINDS, rounds, solve
from experiments.reporting.scaling import SEQUENTIAL

REPLICAS, TURNS = "replicas", "turns"
PREFIX = "probe_"
COMPUTE, MEMORY, PAGES = "probe_compute", "probe_memory", "probe_pages"
PROBES = {  # pipeline: what it is called
    COMPUTE: "compute in the core's caches",
    MEMORY: "memory copy",
    PAGES: "fresh pages",
    "probe_small_files": "small files",
    "probe_large_files": "large files",
}
WORKLOAD = "workload"  # the experiment's own tasks, in turns
DRAWS = 1000
PERCENT = (2.5, 97.5)
LEAST_SHARE = 0.05  # of a task's seconds: what takes less tells nothing when it inflates
LEAST_ROUNDS = 4
COLUMNS = ["probe", "saving", "workers", "repetitions", "kind", "value", "low", "high"]

Array = npt.NDArray[np.float64]


def is_probe(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials run a probe and not the workload."""
    return trials["pipeline"].str.startswith(PREFIX)


def in_turns(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials tell what company costs, and nothing of a strategy."""
    return is_probe(trials) | (trials["strategy"] == TURNS)


def inflations(trials: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Per probe (or WORKLOAD), saving flag, worker count and kind (`user`, `system`, `wall`) the
    inflation of a task in company and its 95 % interval from resampled rounds. NaN where a task alone
    takes next to nothing of that kind, or where there are too few rounds.

    The workload's tasks differ, and each is measured by the sequential reference's seconds for it."""
    ok = trials[trials["status"] == OK].reset_index(drop=True)
    by_trial = dict(list(tasks.groupby(["cell", "repetition"])))
    sequential = ok[~is_probe(ok) & (ok["strategy"] == SEQUENTIAL)]
    probe = ok["pipeline"].where(is_probe(ok), WORKLOAD)
    rows = []
    for point, block in ok[ok["strategy"] == TURNS].groupby([probe, "saving", "workers"]):
        name, saving, workers = cast("tuple[str, bool, int]", point)
        reference = None
        if name == WORKLOAD:
            reference = _of(sequential[sequential["saving"] == saving], by_trial)
        found = [rounds(by_trial[key], workers, reference) for key in _keys(block) if key in by_trial]
        if found:
            sums = pd.concat(found, ignore_index=True)
            rows += [[name, saving, workers, len(found), kind, *_interval(sums, kind)] for kind in KINDS]
    return pd.DataFrame(rows, columns=COLUMNS)


def _keys(trials: pd.DataFrame) -> list[tuple[Any, Any]]:
    return list(zip(trials["cell"], trials["repetition"], strict=True))


def _of(trials: pd.DataFrame, by_trial: dict[Any, pd.DataFrame]) -> pd.DataFrame:
    """The tasks of these trials; none where none was recorded."""
    found = [by_trial[key] for key in _keys(trials) if key in by_trial]
    return pd.concat(found, ignore_index=True) if found else next(iter(by_trial.values())).iloc[:0]


def _interval(rows: pd.DataFrame, kind: str) -> tuple[float, float, float]:
    alone, more = solve(rows.sum(), kind)
    alone_wall, _ = solve(rows.sum(), "wall")
    if len(rows) < LEAST_ROUNDS or not alone > LEAST_SHARE * alone_wall:
        return (float("nan"),) * 3
    drawn = resampled(np.random.default_rng(0), rows)
    draws_alone, draws_more = solve(dict(zip(rows.columns, drawn.T, strict=True)), kind)
    low, high = np.percentile(1 + draws_more / draws_alone, PERCENT)
    return float(1 + more / alone), float(low), float(high)


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


def inflation(
    found: pd.DataFrame, probe: str, workers: int, kind: str, saving: bool = False
) -> tuple[float, float, float] | None:
    """An inflation at `workers`, low and high; None where it was not measured there."""
    here = (found["probe"] == probe) & (found["workers"] == workers) & (found["kind"] == kind)
    row = found[here & (found["saving"] == saving)]
    if row.empty or pd.isna(row["value"].iloc[0]):
        return None
    value, low, high = (float(row[name].iloc[0]) for name in ("value", "low", "high"))
    return value, low, high


def probe_efficiencies(found: pd.DataFrame) -> pd.DataFrame:
    """Per probe and worker count, from one on, the efficiency 1 / inflation by the clock, `_min` and
    `_max`."""
    wall = found[(found["kind"] == "wall") & (found["probe"] != WORKLOAD)]
    several = pd.DataFrame(
        {
            "probe": wall["probe"],
            "workers": wall["workers"],
            "efficiency": 1 / wall["value"],
            "efficiency_min": 1 / wall["high"],
            "efficiency_max": 1 / wall["low"],
        }
    )
    one = several.drop_duplicates("probe").assign(
        workers=1, efficiency=1.0, efficiency_min=1.0, efficiency_max=1.0
    )
    return pd.concat([one, several], ignore_index=True)
