"""What the machine itself allows: `replicas`, and in turns, alone and together, probes and workload.

What `replicas` lose is the machine's; what a strategy loses below them is the strategy's. What a task
costs in company of all others over what it costs alone is its inflation: in user CPU, in system CPU,
or by the clock (see `company`).

Probes run between the workload's turns, a fraction of a second from them: on virtual machines two CPUs may
be two cores in one second and two threads of one core in the next.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from augment.strategies.instruments.turns import Turns
from augment.strategies.sequential import Sequential
from experiments.analysis import company
from experiments.analysis.company import TASK, WORKLOAD, solve
from experiments.analysis.costs import recorded
from experiments.analysis.statistics import PERCENT, SAMPLES, Array, resampled
from experiments.records.store import Parts

COMPUTE, MEMORY, PAGES = "compute", "memory", "pages"
PROBES = {  # name in augment.strategies.instruments.probes: what it is called
    COMPUTE: "compute in the core's caches",
    MEMORY: "memory copy",
    PAGES: "fresh pages",
    "small_files": "small files",
    "large_files": "large files",
}
MIN_SHARE = 0.05  # of a task's seconds: what takes less tells nothing when it inflates
MIN_ROUNDS = 4

Sums = Sequence[pd.DataFrame]  # of `company.rounds`, a table per trial


class Inflation(NamedTuple):
    """What company costs: 1 is nothing. The samples of all that ran in the same trials belong together,
    number by number: what befell a round befell each of them in it."""

    value: float
    low: float
    high: float
    samples: Array


UNKNOWN = Inflation(*(float("nan"),) * 3, np.full(SAMPLES, np.nan))
RESULT = ["probe", "saving", "workers", "kind", *Inflation._fields]


def inflations(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """Per probe (or WORKLOAD), saving flag, worker count and kind (`user`, `system`, `wall`) the
    inflation of a task in company, its 95 % interval and the samples of that, from resampled trials and
    of each resampled rounds. NaN where a task alone takes next to nothing of that kind, in the mean or
    in any sample, or where there are too few rounds.

    The workload's tasks differ, and each is measured by the sequential reference's seconds for it."""
    measured = recorded(trials, "tasks", parts)
    rows = []
    for point, block in measured[measured["strategy"] == Turns.name].groupby(["saving", "workers"]):
        saving, workers = cast("tuple[bool, int]", point)
        sequential = measured[(measured["saving"] == saving) & (measured["strategy"] == Sequential.name)]
        reference = (parts.of("tasks", each, [*TASK, *company.WORKED]) for each in sequential["trial_id"])
        weights = company.weight_of_tasks(reference)
        trials_sums = [
            company.rounds(
                parts.of("tasks", each, company.COLUMNS), parts.of("probes", each), workers, weights
            )
            for each in block["trial_id"]
        ]
        for name in dict.fromkeys(chain(*trials_sums)):
            sums = [by_name[name] for by_name in trials_sums if name in by_name]
            rows += [[name, saving, workers, kind, *_inflation(sums, kind)] for kind in company.KINDS]
    return pd.DataFrame(rows, columns=RESULT)


def _inflation(sums: Sums, kind: str) -> Inflation:
    rows = pd.concat(sums)
    alone_s, more_s = solve(rows.sum(), kind)
    alone_wall_s, _ = solve(rows.sum(), "wall")
    if (rows["weight"] > 0).sum() < MIN_ROUNDS or not alone_s > MIN_SHARE * alone_wall_s:
        return UNKNOWN
    means = dict(zip(rows.columns, _resampled_rounds(sums).T, strict=True))
    samples_alone_s, samples_more_s = solve(means, kind)
    if not (samples_alone_s > 0).all():
        return UNKNOWN
    samples: Array = 1 + samples_more_s / samples_alone_s
    low, high = np.percentile(samples, PERCENT)
    return Inflation(float(1 + more_s / alone_s), float(low), float(high), samples)


def _resampled_rounds(sums: Sums) -> Array:
    """Means of a round in resampled rounds of resampled trials; the same of them whatever the sums are of."""
    random = np.random.default_rng(0)
    each = np.stack([resampled(random, rows) for rows in sums])
    trials = random.integers(len(sums), size=(SAMPLES, len(sums)))
    means: Array = each[trials, np.arange(SAMPLES)[:, None]].mean(axis=1)
    return means


def inflation(
    inflations: pd.DataFrame, probe: str, workers: int, kind: str, saving: bool = False
) -> Inflation | None:
    """An inflation at `workers`; None where it was not measured there."""
    point = (inflations["probe"] == probe) & (inflations["workers"] == workers)
    row = inflations[point & (inflations["kind"] == kind) & (inflations["saving"] == saving)]
    if row.empty or pd.isna(row["value"].iloc[0]):
        return None
    return Inflation(*(row[name].iloc[0] for name in Inflation._fields))


def probe_efficiencies(inflations: pd.DataFrame, saving: bool) -> pd.DataFrame:
    """Per probe and worker count, from one on, the efficiency 1 / inflation by the clock, `_min` and
    `_max`."""
    of_probe = (inflations["probe"] != WORKLOAD) & (inflations["saving"] == saving)
    wall = inflations[of_probe & (inflations["kind"] == "wall")]
    ends = {"efficiency": "value", "efficiency_min": "high", "efficiency_max": "low"}
    several = wall[["probe", "workers"]].assign(**{name: 1 / wall[end] for name, end in ends.items()})
    single = several.drop_duplicates("probe").assign(workers=1, **dict.fromkeys(ends, 1.0))
    return pd.concat([single, several], ignore_index=True)
