"""The time that each policy saves if it alone is changed."""

from typing import Any

import pandas as pd

from experiments.analysis.ablation import POINT, gains
from experiments.analysis.causes import RANKED
from experiments.analysis.statistics import LEVEL
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import text_table
from experiments.report.texts import DASH, label, percent, percent_interval, written
from experiments.store.columns import OK

NOTES = (
    "Time saved: share of the time with no policy changed. The intervals hold for all ablations of a point "
    f"together with {percent(LEVEL)} (Holm). `aa` changes nothing.",
    "Counter: the quantity that the ablation should lower, mean of a trial without and with it. Shares are "
    "of P x T.",
)


@section("ablation", "aa", "diagnose", chapter="Time that each policy saves", order=60)
def ablation(results: Results) -> Outputs:
    """Yield the time that each policy saves."""
    trials, notes = results.ablated
    saved = gains(trials, results.parts)
    stem = "ablation" if results.experiment == "diagnose" else "table"
    columns = {
        "images/s": lambda row: written(row["images_per_s"]),
        "time saved": lambda row: percent_interval(row["gain"], row["low"], row["high"], "+"),
        "counter": _counter,
    }
    notes = [*_failures(trials), *NOTES, *notes]
    title, keys = f"{results.title}: time saved", [*POINT, "ablation", "rounds"]
    yield stem, text_table(title, saved, keys, columns, notes)


def _failures(trials: pd.DataFrame) -> list[str]:
    """Return a line for each cell that has a trial without a time."""
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    return [
        f"{row['ablation']} with {label(row['strategy'])} at {row['workers']} workers: {row['status']}."
        for row in missing.to_dict("records")
    ]


def _counter(row: Any) -> str:
    if row["counter"] is None or pd.isna(row["before"]):
        return DASH
    write = percent if row["counter"] in RANKED else "{:,.0f}".format
    return f"{row['counter']} {write(row['before'])} → {write(row['after'])}"
