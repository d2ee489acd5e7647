"""What recording costs, from pairs of the same tasks measured with and without it."""

import pandas as pd

from experiments.analysis.statistics import BlockModel


def overhead(pairs: pd.DataFrame) -> pd.DataFrame:
    """Per saving flag: `pairs`, `task_s` without recording, `cost` (share of that) with `low` and `high`, by
    the block model with a pair for a block, and `cost_s` of a task. `pairs` has `saving`, `recorded_s` and
    `unrecorded_s`, two rows or more of each flag."""
    rows = []
    for saving, block in pairs.groupby("saving", sort=False):
        sides = ["recorded_s", "unrecorded_s"]
        cells, numbers = [name for name in sides for _ in range(len(block))], [*range(len(block))] * 2
        model = BlockModel(cells, numbers, block[sides].to_numpy(float).T.ravel())
        cost, low, high = (end - 1 for end in model.ratio(*sides).ratio())
        task_s = model.seconds("unrecorded_s")
        rows.append([saving, len(block), task_s, cost, low, high, cost * task_s])
    return pd.DataFrame(rows, columns=["saving", "pairs", "task_s", "cost", "low", "high", "cost_s"])
