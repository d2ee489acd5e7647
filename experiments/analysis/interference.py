"""CPU or memory? What a task is slowed down by beside neighbours, from trials of `interference`.

A subject runs the same tasks again and again while its neighbours idle, run copies of it, or load one
resource of the machine, in short turns in shuffled order. slowdown = seconds beside them / seconds beside
idle ones of the same round, by the block model of `statistics` (a block is a round of the turns), so that
each has its interval. (Ancestors: Mars et al., Bubble-Up, MICRO 2011; Bulej et al., Duet, ICPE 2020.)

Copies slow it down: the workload contends. Spinners, who compute in the first cache, do as well: for cores
(clock, SMT). Streamers do and spinners do not: for memory or cache. Mappers: for the kernel's page path.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from augment.strategies.instruments.interference import Interference
from augment.strategies.instruments.neighbours import NEIGHBOURS
from experiments.analysis.statistics import BlockModel, Interval
from experiments.records.schema import OK
from experiments.records.store import Parts

IDLE, COPIES = "idle", "copies"
QUANTITIES = {"wall": "wall_s", "user CPU": "cpu_user_s"}
TABLE = ["workers", "neighbour", "quantity", "slowdown", "low", "high", "saving"]
SLOWER = 1.05  # a slowdown below it is none
CORES, MEMORY, PAGES = "cores", "memory", "the kernel's page path"
RESOURCES = {"spinners": CORES, "streamers": MEMORY, "mappers": PAGES}


def slowdowns(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """A row with TABLE per saving flag, worker count, quantity and neighbour."""
    rows = [
        [workers, neighbour, quantity, *interval, saving]
        for saving, workers, turns in _turns(trials, parts)
        for quantity, column in QUANTITIES.items()
        for neighbour, interval in _slowdowns(turns[turns["transform"].isna()], column)
    ]
    return pd.DataFrame(rows, columns=TABLE)


def transform_slowdowns(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """The same by the clock per `transform`, with its `share` of the seconds of all transforms beside idle
    neighbours, the largest first."""
    rows = []
    for saving, workers, turns in _turns(trials, parts):
        timed = turns.dropna(subset="transform")
        alone_s = timed[timed["neighbour"] == IDLE].groupby("transform")["wall_s"].sum()
        for transform, share in (alone_s / alone_s.sum()).sort_values(ascending=False).items():
            each = _slowdowns(timed[timed["transform"] == transform], "wall_s")
            rows += [[workers, name, "wall", *interval, saving, transform, share] for name, interval in each]
    return pd.DataFrame(rows, columns=[*TABLE, "transform", "share"])


def _turns(trials: pd.DataFrame, parts: Parts) -> Iterator[tuple[bool, int, pd.DataFrame]]:
    measured: Any = trials[(trials["strategy"] == Interference.name) & (trials["status"] == OK)]
    for (saving, workers), block in measured.groupby(["saving", "workers"]):
        turns = pd.concat(parts.of("turns", trial_id) for trial_id in block["trial_id"])
        if len(turns):
            yield saving, workers, turns


def _slowdowns(turns: pd.DataFrame, column: str) -> Iterator[tuple[str, Interval]]:
    known = turns[turns[column] > 0]
    if known.empty:
        return
    blocks = list(zip(known["trial_id"], known["round"], strict=True))
    model = BlockModel(list(known["neighbour"]), blocks, known[column].to_numpy(float))
    for name in NEIGHBOURS:
        if name != IDLE and name in model.cells and IDLE in model.cells:
            yield name, model.ratio(name, IDLE).ratio()


def contended(slowdowns: pd.DataFrame, workers: int, saving: bool) -> dict[str, float]:
    """For what the workload contends at a worker count, CORES, MEMORY or PAGES, with the share of a task's
    seconds that this takes: 1 - 1 / slowdown beside copies. Empty where copies do not slow it down by SLOWER
    at least, where no resource explains that, or nothing was measured."""
    here = slowdowns[(slowdowns["workers"] == workers) & (slowdowns["saving"] == saving)]
    wall: Any = here[here["quantity"] == "wall"].set_index("neighbour")
    if COPIES not in wall.index or not wall.at[COPIES, "low"] > 1 or wall.at[COPIES, "slowdown"] < SLOWER:
        return {}
    for neighbour, resource in RESOURCES.items():  # spinners first: what they slow down, streamers do as well
        if neighbour in wall.index and _explains(wall.loc[neighbour], wall.loc[COPIES]):
            return {resource: float(1 - 1 / wall.at[COPIES, "slowdown"])}
    return {}


def _explains(neighbour: Any, copies: Any) -> bool:
    """Whether a neighbour slows the subject down, and by half of what copies do at least."""
    return bool(neighbour["low"] > 1 and neighbour["slowdown"] - 1 >= (copies["slowdown"] - 1) / 2)
