"""The slowdown of a task beside neighbours that load one resource, such as CPU or memory.

From trials of `interference`: a subject runs the same tasks again and again while its neighbours idle, run
copies of it, or load one resource, in short turns in shuffled order.

    slowdown = seconds beside the neighbours / seconds beside idle ones of the same round of turns

If copies slow the subject down, the workload contends. If spinners, which compute in the first cache, do as
well, it contends for cores (clock, SMT); if streamers do and spinners do not, for memory or cache; if mappers
do, for the kernel's page path. Ancestors: Mars et al., Bubble-Up, MICRO 2011; Bulej et al., Duet, ICPE 2020.
"""

from typing import Any

import pandas as pd

from augment.strategies.instruments.interference import Interference
from augment.strategies.instruments.neighbours import NEIGHBOURS
from experiments.analysis.causes import CORES, MEMORY
from experiments.analysis.select import ok_trials
from experiments.analysis.statistics import BlockModel
from experiments.store.files import DetailReader

IDLE, COPIES = "idle", "copies"
QUANTITIES = {"wall": "wall_s", "user CPU": "cpu_user_s"}
COLUMNS = ["workers", "neighbour", "quantity", "slowdown", "low", "high", "saving"]
MIN_SLOWDOWN = 1.05  # a smaller one is none
PAGES = "the kernel's page path"
# Spinners first: streamers slow down what spinners do, too.
RESOURCES = {"spinners": CORES, "streamers": MEMORY, "mappers": PAGES}


def slowdowns(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return COLUMNS for each saving flag, worker count, quantity and neighbour."""
    measured = ok_trials(trials[trials["strategy"] == Interference.name])
    if measured.empty:
        return pd.DataFrame(columns=COLUMNS)
    key, rows = ["saving", "workers"], []
    turns = pd.concat(parts.of("turns", trial_id) for trial_id in measured["trial_id"])
    turns = turns.dropna(subset="cpu_user_s")  # version 2.0 also had a row for each transform
    groups: Any = turns.merge(measured[["trial_id", *key]], on="trial_id").groupby(key)
    for (saving, workers), block in groups:
        for quantity, column in QUANTITIES.items():
            timed = block[block[column] > 0]
            rounds = list(zip(timed["trial_id"], timed["round"], strict=True))
            model = BlockModel(list(timed["neighbour"]), rounds, timed[column].to_numpy(float))
            for neighbour in (name for name in NEIGHBOURS if name != IDLE and name in model.cells):
                slowdown = model.log_ratio(neighbour, IDLE).exp()
                rows.append([workers, neighbour, quantity, *slowdown, saving])
    return pd.DataFrame(rows, columns=COLUMNS)


def contended_resources(slowdowns: pd.DataFrame, workers: int, saving: bool) -> dict[str, float]:
    """Return the resource that tasks contend for at a worker count, and the share of their seconds it takes.

    The share is `1 - 1 / slowdown` beside copies. The result is empty if copies slow tasks down by less than
    MIN_SLOWDOWN, if no single resource does by half of that, or if nothing was measured.
    """
    is_wanted = slowdowns[["workers", "saving", "quantity"]] == [workers, saving, "wall"]
    wall: Any = slowdowns[is_wanted.all(axis=1)].set_index("neighbour")
    if COPIES not in wall.index or not wall.at[COPIES, "low"] > 1:
        return {}
    slowdown = float(wall.at[COPIES, "slowdown"])
    explaining = wall.index[(wall["low"] > 1) & (wall["slowdown"] >= 1 + (slowdown - 1) / 2)]
    contended = [resource for neighbour, resource in RESOURCES.items() if neighbour in explaining]
    return {contended[0]: 1 - 1 / slowdown} if contended and slowdown >= MIN_SLOWDOWN else {}
