"""The time that each policy saves if it alone is changed, and A/A comparisons of identical code."""

from typing import Any

import pandas as pd
from scipy import stats

from experiments.analysis.ablation import AA_ROUNDS, POINT, aa_comparisons, gains
from experiments.analysis.causes import RANKED
from experiments.analysis.statistics import LEVEL
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import plain_table, text_table
from experiments.report.texts import DASH, label, percent, percent_interval, written
from experiments.store.columns import OK

NOTES = (
    "Time saved: share of the time with no policy changed. The intervals hold for all ablations of a point "
    f"together with {percent(LEVEL)} (Holm). `aa` changes nothing.",
    "Counter: the quantity that the ablation should lower, mean of a trial without and with it. Shares are "
    "of P x T.",
)
AA_NOTE = (
    f"Each comparison is of a cell with itself over {AA_ROUNDS} rounds, by the block model. By chance, "
    f"{percent(1 - LEVEL)} of the {percent(LEVEL)} intervals claim a difference. In parentheses: "
    "Clopper-Pearson limits."
)


@section(
    "ablation",
    "diagnose",
    chapter="Time that each policy saves",
    words="One policy is changed at a time, in the same rounds as the cell with no policy changed.",
    order=70,
)
def ablation(results: Results) -> Outputs:
    """Yield the time that each policy saves."""
    trials, notes = results.comparable
    saved = gains(trials, results.parts)
    stem = "table" if results.experiment == "ablation" else "ablation"
    columns = {
        "images/s": lambda row: written(row["images_per_s"], ".3g"),
        "time saved": _gain,
        "counter": _counter,
    }
    notes = [*_failures(trials), *NOTES, *notes]
    yield stem, text_table("Ablations", saved, [*POINT, "ablation", "rounds"], columns, notes)


@section("aa")
def aa(results: Results) -> Outputs:
    """Yield how many comparisons of identical code claim a difference."""
    trials, notes = results.comparable
    data = aa_comparisons(trials)
    claims = data[data["claim"]]
    limits = stats.binomtest(len(claims), len(data)).proportion_ci(LEVEL, "exact")
    share = percent_interval(len(claims) / len(data), float(limits.low), float(limits.high))
    counts = pd.DataFrame({"comparisons": [len(data)], "claims": [len(claims)], "share": [share]})
    lines = [f"Claimed for {label(row['strategy'])}: {_gain(row)}" for row in claims.to_dict("records")]
    yield "table", plain_table("Identical code against itself", data, [AA_NOTE, *lines, *notes], counts)


def _failures(trials: pd.DataFrame) -> list[str]:
    """Return a line for each cell that has a trial without a time."""
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    return [
        f"{row['ablation']} with {label(row['strategy'])} at {row['workers']} workers: {row['status']}."
        for row in missing.to_dict("records")
    ]


def _gain(row: Any) -> str:
    return percent_interval(row["gain"], row["low"], row["high"], "+")


def _counter(row: Any) -> str:
    if row["counter"] is None or pd.isna(row["before"]):
        return DASH
    write = percent if row["counter"] in RANKED else "{:,.0f}".format
    return f"{row['counter']} {write(row['before'])} → {write(row['after'])}"
