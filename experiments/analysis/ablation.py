"""Proof by ablation: what each policy gives back, changed one at a time in rounds."""

import math
from itertools import chain

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.scaling import STRONG, NoTrialsError, require
from experiments.analysis.select import select
from experiments.analysis.statistics import mean_interval
from experiments.plan.options import UNTOUCHED
from experiments.records.schema import OK

POINT = ["strategy", "workers", "saving", "pipeline"]
ROUND = ["sweep", "round"]
SIDES = ("without", "with")  # the policy
POLICIES = ("runtime", "strategy_options", "output_file_system")  # what an ablation may change


def comparable(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials that may stand in one table, of every pipeline and of every ablation as it was declared
    last, and lines on what was left out. Raises NoTrialsError."""
    require(trials)
    selected = (select(block, STRONG) for _, block in trials.groupby(["pipeline", "ablation"]))
    blocks, notes = zip(*selected, strict=True)
    axes = (*STRONG, "ablation", *POLICIES, "pipeline", "pipeline_digest")
    kept, more = select(pd.concat(blocks), axes)
    return kept, [*dict.fromkeys(chain(*notes, more))]


def recovered(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per point and ablation, the most recovered first: `rounds`, `efficiency_without` and
    `efficiency_with` the policy (1.0 is 100 %), `efficiency_recovered`, their difference, and
    `time_recovered` (share of the time without), both with `_low` and `_high`. An interval is NaN after
    one round, an efficiency without a sequential baseline. Raises NoTrialsError."""
    rows = []
    for key, block in _pairs(trials).groupby([*POINT, "ablation"]):
        without, with_it = (block["sequential_s"] / block["workers"] / block[f"{side}_s"] for side in SIDES)
        gains = mean_interval((block["without_s"] / block["with_s"]).map(math.log))
        rows.append(
            dict(zip([*POINT, "ablation"], key, strict=True))
            | {"rounds": len(block), "efficiency_without": without.mean(), "efficiency_with": with_it.mean()}
            | _named("efficiency_recovered", mean_interval(with_it - without))
            | _named("time_recovered", tuple(-math.expm1(-gain) for gain in gains))
        )
    ranks = ["efficiency_recovered", "time_recovered"]
    return pd.DataFrame(rows).sort_values(ranks, ascending=False, ignore_index=True)


def _named(name: str, interval: tuple[float, ...]) -> dict[str, float]:
    return dict(zip([name, f"{name}_low", f"{name}_high"], interval, strict=True))


def _pairs(trials: pd.DataFrame) -> pd.DataFrame:
    """A row per round of a sweep, point and ablation: seconds without the policy, with it, and the mean of
    the round's sequential trials without it."""
    measured = trials[trials["status"] == OK]
    sequential = measured["strategy"] == Sequential.name
    times = measured[~sequential].pivot_table(index=[*POINT, *ROUND], columns="ablation", values="wall_s")
    pairs = (
        times.reindex(columns=[*times.columns.union([UNTOUCHED])])
        .rename(columns={UNTOUCHED: "without_s"})
        .melt("without_s", var_name="ablation", value_name="with_s", ignore_index=False)
        .dropna()
    )
    if pairs.empty:
        nothing = f"no round with ablation={UNTOUCHED} and another to hold against it"
        raise NoTrialsError(f"{nothing}: run `make ablation`")
    untouched = measured[sequential & (measured["ablation"] == UNTOUCHED)]
    baseline_s = untouched.groupby(["saving", "pipeline", *ROUND])["wall_s"].mean()
    return pairs.join(baseline_s.rename("sequential_s")).reset_index()
