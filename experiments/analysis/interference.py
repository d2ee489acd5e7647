"""CPU or memory? What a task is slowed down by beside neighbours, from trials of `interference`.

A subject runs the same tasks again and again while its neighbours idle, run copies of it, or load one
resource of the machine, in short turns in shuffled order. slowdown = seconds beside them / seconds beside
idle ones of the same round, by the block model of `statistics` (a block is a round of the turns), so that
each has its interval. (Ancestors: Mars et al., Bubble-Up, MICRO 2011; Bulej et al., Duet, ICPE 2020.)

Copies slow it down: the workload contends. Spinners, who compute in the first cache, do as well: for cores
(clock, SMT). Streamers do and spinners do not: for memory or cache. Mappers: for the kernel's page path.
"""

from typing import Any

import pandas as pd

from augment.strategies.instruments.interference import Interference
from augment.strategies.instruments.neighbours import NEIGHBOURS
from experiments.analysis.causes import CORES, MEMORY
from experiments.analysis.select import ok_trials
from experiments.analysis.statistics import BlockModel, Interval
from experiments.store.files import DetailReader

IDLE, COPIES = "idle", "copies"
QUANTITIES = {"wall": "wall_s", "user CPU": "cpu_user_s"}
TABLE = ["workers", "neighbour", "quantity", "slowdown", "low", "high", "saving", "transform", "alone_s"]
MIN_SLOWDOWN = 1.05  # a slowdown below it is none
PAGES = "the kernel's page path"
RESOURCES = {"spinners": CORES, "streamers": MEMORY, "mappers": PAGES}


def slowdowns(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """A row with TABLE per saving flag, worker count, transform (null: of a whole task, and only of it user
    CPU), quantity and neighbour; `alone_s` are the seconds of the quantity beside idle neighbours, in all.
    """
    measured: Any = ok_trials(trials[trials["strategy"] == Interference.name])
    rows: list[list[Any]] = []
    for (saving, workers), block in measured.groupby(["saving", "workers"]):
        turns: Any = pd.concat(parts.of("turns", trial_id) for trial_id in block["trial_id"])
        for transform, each in turns.groupby("transform", dropna=False):
            for quantity, column in QUANTITIES.items():
                timed = each[each[column] > 0]
                alone_s = timed.loc[timed["neighbour"] == IDLE, column].sum()
                rows += [
                    [workers, neighbour, quantity, *interval, saving, transform, alone_s]
                    for neighbour, interval in _slowdowns(timed, column).items()
                ]
    return pd.DataFrame(rows, columns=TABLE)


def _slowdowns(turns: pd.DataFrame, column: str) -> dict[str, Interval]:
    """Beside each neighbour that was measured."""
    blocks = list(zip(turns["trial_id"], turns["round"], strict=True))
    model = BlockModel(list(turns["neighbour"]), blocks, turns[column].to_numpy(float))
    present = [name for name in NEIGHBOURS if name != IDLE and {name, IDLE} <= model.cells.keys()]
    return {name: model.log_ratio(name, IDLE).exp() for name in present}


def whole_tasks(slowdowns: pd.DataFrame) -> pd.DataFrame:
    """The rows of whole tasks."""
    return slowdowns[slowdowns["transform"].isna()]


def contended_resources(slowdowns: pd.DataFrame, workers: int, saving: bool) -> dict[str, float]:
    """Return the resource that the workload contends for at a worker count, CORES, MEMORY or PAGES, and the
    share of a task's seconds that the contention takes, `1 - 1 / slowdown` beside copies.

    Empty if copies slow it down by less than MIN_SLOWDOWN, if no single resource does by half of that, or if
    nothing was measured.
    """
    here = whole_tasks(slowdowns)[["workers", "saving", "quantity"]] == [workers, saving, "wall"]
    wall: Any = whole_tasks(slowdowns)[here.all(axis=1)].set_index("neighbour")
    if (
        COPIES not in wall.index
        or not wall.at[COPIES, "low"] > 1
        or wall.at[COPIES, "slowdown"] < MIN_SLOWDOWN
    ):
        return {}
    half = 1 + (wall.at[COPIES, "slowdown"] - 1) / 2
    explains = wall.index[(wall["low"] > 1) & (wall["slowdown"] >= half)]
    for neighbour, resource in RESOURCES.items():  # spinners first: what they slow down, streamers do as well
        if neighbour in explains:
            return {resource: float(1 - 1 / wall.at[COPIES, "slowdown"])}
    return {}
