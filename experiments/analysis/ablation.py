"""Proof by ablation: what each policy gives back, changed one at a time in rounds."""

import math

import pandas as pd
from scipy import stats

from experiments.analysis.scaling import SEQUENTIAL, NoTrialsError, newest_comparable
from experiments.records.schema import OK
from experiments.report.tables import DASH, Table, label, plain_table

NONE = "none"
LEVEL = 0.95
ABLATIONS = ("saving", "strategy", "workers", "ablation", "runtime")  # what tells its cells apart
SIDES = ("without", "with")  # the policy
POINT = ["strategy", "workers", "saving", "pipeline"]
NOTES = (
    f"Means over the rounds, in each of which both were measured; in brackets the {100 * LEVEL:.0f} % "
    "interval (paired t). One such interval in twenty misses by chance.",
    "Efficiency: sequential time of the same round, no policy changed / (workers x time). The rows are "
    "ranked by what is recovered of it, in points of per cent.",
    "Time given back: share of the time without the policy, from the log ratios.",
)


def comparable(trials: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The trials that may stand in one table, of every pipeline as it was declared last, and one line
    on what was left out."""
    each = [newest_comparable(block, ABLATIONS) for _, block in trials.groupby("pipeline")]
    blocks, notes = zip(*each, strict=True)
    kept, note = newest_comparable(pd.concat(blocks), (*ABLATIONS, "pipeline", "pipeline_digest"))
    return kept, "; ".join(filter(None, [*notes, note])) or None


def recovered(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per point and ablation, the most recovered first: `rounds`, `efficiency_without` and
    `efficiency_with` the policy (1.0 is 100 %), `efficiency_recovered`, their difference, and
    `time_recovered` (share of the time without), both with `_low` and `_high`. An interval is NaN after
    one round, an efficiency without a sequential baseline. Raises NoTrialsError."""
    rows = []
    for key, block in _rounds(trials).groupby([*POINT, "ablation"]):
        without, with_it = (block["sequential_s"] / block["workers"] / block[f"{side}_s"] for side in SIDES)
        times = _interval("time_recovered", (block["without_s"] / block["with_s"]).map(math.log))
        rows.append(
            dict(zip([*POINT, "ablation"], key, strict=True))
            | {"rounds": len(block), "efficiency_without": without.mean(), "efficiency_with": with_it.mean()}
            | _interval("efficiency_recovered", with_it - without)
            | {name: -math.expm1(-gain) for name, gain in times.items()}
        )
    ranks = ["efficiency_recovered", "time_recovered"]
    return pd.DataFrame(rows).sort_values(ranks, ascending=False, ignore_index=True)


def _rounds(trials: pd.DataFrame) -> pd.DataFrame:
    """A row per round, point and ablation: seconds without the policy, with it, and of the sequential
    baseline without it."""
    measured = trials[trials["status"] == OK]
    alone = measured["strategy"] == SEQUENTIAL
    times = measured[~alone].pivot_table(index=[*POINT, "repetition"], columns="ablation", values="wall_s")
    policies = (
        times.reindex(columns=[*times.columns.union([NONE])])
        .rename(columns={NONE: "without_s"})
        .melt("without_s", var_name="ablation", value_name="with_s", ignore_index=False)
        .dropna()
    )
    if policies.empty:
        raise NoTrialsError("no round with ablation=none and another to hold against it: run `make ablation`")
    untouched = measured[alone & (measured["ablation"] == NONE)]
    baseline_s = untouched.groupby(["saving", "pipeline", "repetition"])["wall_s"].mean()
    return policies.join(baseline_s.rename("sequential_s")).reset_index()


def _interval(name: str, values: "pd.Series[float]") -> dict[str, float]:
    """Mean and interval of what is known of the values."""
    known = values.dropna().to_numpy(float)
    mean, half = values.mean(), math.nan
    if len(known) > 1:
        half = float(stats.sem(known) * stats.t.ppf((1 + LEVEL) / 2, len(known) - 1))
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


def ablation_table(trials: pd.DataFrame) -> Table:
    """The ablation by the efficiency they recover, with the word that the interval of the time allows."""
    data = recovered(trials)
    shown = data[[*POINT, "ablation", "rounds"]].copy()
    for side in SIDES:
        shown[f"efficiency {side}"] = [_text(value, ".1%") for value in data[f"efficiency_{side}"]]
    shown["efficiency recovered (points)"] = _spans(100 * data.filter(like="efficiency_recovered"), "+.1f")
    shown["time given back"] = _spans(data.filter(like="time_recovered"), "+.0%")
    ends = zip(data["time_recovered_low"], data["time_recovered_high"], strict=True)
    shown["so"] = [_word(low, high) for low, high in ends]
    return plain_table("Ablations", data, [*NOTES, *_unmeasured(trials)], shown)


def _spans(intervals: pd.DataFrame, form: str) -> list[str]:
    """`+12.3 (+10.1 to +14.5)`; a dash for what is unknown."""
    spans = []
    for middle, low, high in intervals.itertuples(index=False):
        ends = DASH if pd.isna(low) else f"{low:{form}} to {high:{form}}"
        spans.append(DASH if pd.isna(middle) else f"{middle:{form}} ({ends})")
    return spans


def _text(value: float, form: str) -> str:
    return DASH if pd.isna(value) else f"{value:{form}}"


def _word(low: float, high: float) -> str:
    if pd.isna(low):
        return "not decided: one round"
    return "gives time back" if low > 0 else "costs time" if high < 0 else "no difference"


def _unmeasured(trials: pd.DataFrame) -> list[str]:
    """A line for each cell with a trial that is in no mean."""
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    return [
        f"{one['ablation']} with {label(one['strategy'])} at {one['workers']} workers: {one['status']}."
        for one in missing.to_dict("records")
    ]
