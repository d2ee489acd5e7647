"""What the machine itself allows: `replicas`, and in turns, alone and together, probes and workload.

What `replicas` lose is the machine's; what a strategy loses below them is the strategy's. What a task
costs in company of all others over what it costs alone is its inflation: in user CPU, in system CPU,
or by the clock (see `company`).

Probes run between the workload's turns, a fraction of a second from them: on virtual machines two CPUs may
be two cores in one second and two threads of one core in the next, and what tells a cause must have met
the same machine.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.analysis.company import KINDS, WORKLOAD, rounds, solve
from experiments.analysis.scaling import SEQUENTIAL
from experiments.records.schema import OK

REPLICAS, TURNS = "replicas", "turns"
COMPUTE, MEMORY, PAGES = "compute", "memory", "pages"
PROBES = {  # name in augment.strategies.instruments.probes: what it is called
    COMPUTE: "compute in the core's caches",
    MEMORY: "memory copy",
    PAGES: "fresh pages",
    "small_files": "small files",
    "large_files": "large files",
}
DRAWS = 1000
TRIAL = ["cell", "repetition"]
PERCENT = (2.5, 97.5)
LEAST_SHARE = 0.05  # of a task's seconds: what takes less tells nothing when it inflates
LEAST_ROUNDS = 4
COLUMNS = ["probe", "saving", "workers", "kind", "value", "low", "high", "draws"]

Array = npt.NDArray[np.float64]
Sums = Sequence[pd.DataFrame]  # of `company.rounds`, a table per trial


class Inflation(NamedTuple):
    """What company costs: 1 is nothing. The draws of all that ran in the same trials belong together,
    number by number: what befell a round befell each of them in it."""

    value: float
    low: float
    high: float
    draws: Array


UNKNOWN = Inflation(*(float("nan"),) * 3, np.full(DRAWS, np.nan))


def in_turns(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Which trials tell what company costs, and nothing of a strategy."""
    return trials["strategy"] == TURNS


def inflations(trials: pd.DataFrame, tasks: pd.DataFrame, probes: pd.DataFrame) -> pd.DataFrame:
    """Per probe (or WORKLOAD), saving flag, worker count and kind (`user`, `system`, `wall`) the
    inflation of a task in company, its 95 % interval and the draws of that, from resampled trials and of
    each resampled rounds. NaN where a task alone takes next to nothing of that kind, in the mean or
    in any draw, or where there are too few rounds.

    The workload's tasks differ, and each is measured by the sequential reference's seconds for it."""
    ok = trials[trials["status"] == OK]
    by_trial, probes_by_trial = dict(list(tasks.groupby(TRIAL))), dict(list(probes.groupby(TRIAL)))
    sequential = ok[ok["strategy"] == SEQUENTIAL]
    rows = []
    for point, block in ok[in_turns(ok)].groupby(["saving", "workers"]):
        saving, workers = cast("tuple[bool, int]", point)
        reference = _of(sequential[sequential["saving"] == saving], by_trial)
        found = [
            rounds(by_trial[key], probes_by_trial.get(key, probes.iloc[:0]), workers, reference)
            for key in _keys(block)
            if key in by_trial
        ]
        for name in dict.fromkeys(chain(*found)):
            sums = [one[name] for one in found if name in one]
            rows += [[name, saving, workers, kind, *_inflation(sums, kind)] for kind in KINDS]
    return pd.DataFrame(rows, columns=COLUMNS)


def _keys(trials: pd.DataFrame) -> list[tuple[Any, Any]]:
    return list(zip(trials["cell"], trials["repetition"], strict=True))


def _of(trials: pd.DataFrame, by_trial: dict[Any, pd.DataFrame]) -> pd.DataFrame | None:
    """The tasks of these trials; None where none was recorded."""
    found = [by_trial[key] for key in _keys(trials) if key in by_trial]
    return pd.concat(found, ignore_index=True) if found else None


def _inflation(sums: Sums, kind: str) -> Inflation:
    rows = pd.concat(sums)
    alone, more = solve(rows.sum(), kind)
    alone_wall, _ = solve(rows.sum(), "wall")
    if (rows["weight"] > 0).sum() < LEAST_ROUNDS or not alone > LEAST_SHARE * alone_wall:
        return UNKNOWN
    drawn = _drawn(sums)
    draws_alone, draws_more = solve(dict(zip(rows.columns, drawn.T, strict=True)), kind)
    if not (draws_alone > 0).all():
        return UNKNOWN
    draws: Array = 1 + draws_more / draws_alone
    low, high = np.percentile(draws, PERCENT)
    return Inflation(float(1 + more / alone), float(low), float(high), draws)


def _drawn(sums: Sums) -> Array:
    """Means of a round in resampled rounds of resampled trials; the same of them whatever the sums are of."""
    random = np.random.default_rng(0)
    each = np.stack([resampled(random, rows) for rows in sums])
    trials = random.integers(len(sums), size=(DRAWS, len(sums)))
    drawn: Array = each[trials, np.arange(DRAWS)[:, None]].mean(axis=1)
    return drawn


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
) -> Inflation | None:
    """An inflation at `workers`; None where it was not measured there."""
    here = (found["probe"] == probe) & (found["workers"] == workers) & (found["kind"] == kind)
    row = found[here & (found["saving"] == saving)]
    if row.empty or pd.isna(row["value"].iloc[0]):
        return None
    return Inflation(*(row[name].iloc[0] for name in Inflation._fields))


def probe_efficiencies(found: pd.DataFrame, saving: bool) -> pd.DataFrame:
    """Per probe and worker count, from one on, the efficiency 1 / inflation by the clock, `_min` and
    `_max`."""
    wall = found[(found["kind"] == "wall") & (found["probe"] != WORKLOAD) & (found["saving"] == saving)]
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
