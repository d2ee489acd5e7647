"""What recording costs, from pairs of the same tasks measured with and without it."""

from typing import Any

import pandas as pd
from scipy import stats

from experiments.analysis.statistics import LEVEL


def overhead(pairs: pd.DataFrame) -> pd.DataFrame:
    """Per saving flag: `pairs`, `task_s` without recording, `cost` (share of that, median of the ratios
    less one) with `cost_low` and `cost_high` (of order statistics, which asks for no distribution), and
    `cost_s` of a task. `pairs` has `saving`, `recorded_s`, `unrecorded_s`, two rows or more of each flag."""
    rows = []
    for saving, block in pairs.groupby("saving", sort=False):
        cost = block["recorded_s"] / block["unrecorded_s"] - 1
        ends: Any = stats.quantile_test(cost, p=0.5).confidence_interval(LEVEL)
        rows.append(
            {
                "saving": saving,
                "pairs": len(block),
                "task_s": block["unrecorded_s"].median(),
                "cost": cost.median(),
                "cost_low": ends.low,
                "cost_high": ends.high,
                "cost_s": (block["recorded_s"] - block["unrecorded_s"]).median(),
            }
        )
    return pd.DataFrame(rows)
