"""The slowdown of a task beside neighbours that load one resource, such as CPU or memory.

Seconds beside them / those beside idle ones of the same round of turns: see the strategy `interference`.
"""

from typing import Any

import pandas as pd

from augment.strategies.instruments.interference import COPIES, IDLE, NEIGHBOURS, Interference
from experiments.analysis.causes import CORES, MEMORY
from experiments.analysis.select import ok_trials
from experiments.analysis.statistics import BlockModel
from experiments.store.files import DetailReader

COLUMNS = ["workers", "neighbour", "slowdown", "low", "high", "saving"]
MIN_SLOWDOWN = 1.05  # a smaller one is none
PAGES = "the kernel's page path"
# Spinners first: streamers slow down what spinners do, too.
RESOURCES = {"spinners": CORES, "streamers": MEMORY, "mappers": PAGES}


def slowdowns(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return COLUMNS for each saving flag, worker count and neighbour."""
    measured = ok_trials(trials[trials["strategy"] == Interference.name])
    if measured.empty:
        return pd.DataFrame(columns=COLUMNS)
    key, rows = ["saving", "workers"], []
    turns = pd.concat(parts.of("turns", trial_id) for trial_id in measured["trial_id"])
    groups: Any = turns.merge(measured[["trial_id", *key]], on="trial_id").groupby(key)
    for (saving, workers), block in groups:
        rounds = list(zip(block["trial_id"], block["round"], strict=True))
        model = BlockModel(list(block["neighbour"]), rounds, block["wall_s"])
        for neighbour in (name for name in NEIGHBOURS if name != IDLE and name in model.cells):
            rows.append([workers, neighbour, *model.log_ratio(neighbour, IDLE).exp(), saving])
    return pd.DataFrame(rows, columns=COLUMNS)


def contended_resources(slowdowns: pd.DataFrame, workers: int, saving: bool) -> dict[str, float]:
    """Return the resource that tasks contend for at a worker count, and the share of their seconds it takes.

    The share is `1 - 1 / slowdown` beside copies. The result is empty if copies slow tasks down by less than
    MIN_SLOWDOWN, if no single resource does by half of that, or if nothing was measured.
    """
    is_wanted = (slowdowns["workers"] == workers) & (slowdowns["saving"] == saving)
    beside: Any = slowdowns[is_wanted].set_index("neighbour")
    if COPIES not in beside.index or not beside.at[COPIES, "low"] > 1:
        return {}
    slowdown = float(beside.at[COPIES, "slowdown"])
    explaining = beside.index[(beside["low"] > 1) & (beside["slowdown"] >= 1 + (slowdown - 1) / 2)]
    contended = [resource for neighbour, resource in RESOURCES.items() if neighbour in explaining]
    return {contended[0]: 1 - 1 / slowdown} if contended and slowdown >= MIN_SLOWDOWN else {}
