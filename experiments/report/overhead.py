"""What recording costs, from pairs measured with and without it."""

from typing import Any

import pandas as pd
from scipy import stats

from experiments.report.tables import Table, plain_table

LEVEL = 0.95
NOTES = (
    f"Median of the pairs; in brackets its {100 * LEVEL:.0f} % interval (of order statistics, which asks for "
    "no distribution). A pair is 256 tasks recorded and 256 not, which follow each other by turns.",
)


def overhead(pairs: pd.DataFrame) -> pd.DataFrame:
    """Per saving flag: `pairs`, `task_s` without recording, `cost` (share of that, median of the ratios
    less one) with `_low` and `_high`, and `cost_s` of one task. `pairs` has `saving`, `recorded_s`,
    `unrecorded_s`, two rows or more of each flag."""
    rows = []
    for saving, block in pairs.groupby("saving", sort=False):
        cost = block["recorded_s"] / block["unrecorded_s"] - 1
        ends: Any = stats.quantile_test(cost, p=0.5).confidence_interval(LEVEL)
        more_s = (block["recorded_s"] - block["unrecorded_s"]).median()
        shares = {"cost": cost.median(), "cost_low": ends.low, "cost_high": ends.high}
        rows.append(
            {"saving": saving, "pairs": len(block), "task_s": block["unrecorded_s"].median()}
            | shares
            | {"cost_s": more_s}
        )
    return pd.DataFrame(rows)


def overhead_table(pairs: pd.DataFrame, title: str) -> Table:
    """The cost in per cent and in microseconds a task."""
    data = overhead(pairs)
    spans = zip(data["cost"], data["cost_low"], data["cost_high"], strict=True)
    shown = data[["saving", "pairs"]].copy()
    shown["task [ms]"] = data["task_s"] * 1e3
    shown["recording costs"] = [f"{own:.1%} ({low:.1%} to {high:.1%})" for own, low, high in spans]
    shown["a task [us]"] = [f"{1e6 * seconds:.1f}" for seconds in data["cost_s"]]
    return plain_table(title, data, NOTES, shown)
