"""Every strategy on every workload of an experiment, held against the ceiling under the same runtime."""

from math import nan
from typing import Any, NamedTuple

import pandas as pd

from augment.strategies.instruments.copies import Copies
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import STATUS, STRONG, interval_columns, require
from experiments.analysis.select import ok_trials, select
from experiments.analysis.statistics import BlockModel, Interval
from experiments.store.columns import OK
from experiments.store.files import Parts

WORKLOAD = ["pipeline", "width", "height", "saving"]
AS_STUDIED = "study"  # the runtime of the study


class Cell(NamedTuple):
    """What the model of a workload calls a cell."""

    strategy: str
    workers: int
    runtime_name: str


def engine_points(trials: pd.DataFrame, parts: Parts) -> tuple[pd.DataFrame, list[str]]:
    """Return the points, and lines on which trials were left out. Raises NoTrialsError.

    A point is a row per workload, strategy, workers and runtime: status and error, rounds, seconds and images
    a second, the share of the ceiling under the same runtime, each with its interval; mean peak memory."""
    require(trials)
    points, notes = [], []
    for values, same in trials.groupby(WORKLOAD, sort=False):
        kept, left_out = select(same, (*STRONG, "runtime"))
        rated = pd.concat(with_ceilings(block, parts) for _, block in kept.groupby("runtime"))
        ok, workload = ok_trials(rated), dict(zip(WORKLOAD, values, strict=True))
        model = BlockModel.of(ok, [Cell(*each) for each in ok[[*Cell._fields]].itertuples(index=False)])
        cells: Any = rated.groupby([*Cell._fields], sort=False)
        points += [workload | _point(Cell(*cell), block, model) for cell, block in cells]
        notes += left_out
    return pd.DataFrame(points), [*dict.fromkeys(notes)]


def _point(cell: Cell, trials: pd.DataFrame, model: BlockModel) -> dict[str, Any]:
    ok = ok_trials(trials)
    ceiling = cell._replace(strategy=Copies.name)
    share = model.ratio(ceiling, cell).ratio() if cell != ceiling else Interval(nan, nan, nan)
    level = model.level(cell)
    return {
        **cell._asdict(),
        "status": trials["status"].astype(STATUS).max() if len(ok) == 0 else OK,
        "error": None if len(ok) else trials["error"].iloc[-1],
        "rounds": model.rounds.get(cell, 0),
        **_columns("wall_s", level.ratio()),
        **_columns("images_per_s", level.inverse().ratio().times(ok["tasks"].mean())),
        **_columns("ceiling_share", share),
        "peak_rss_bytes": ok["peak_rss_bytes"].mean(),
    }


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return dict(zip(interval_columns(name), interval, strict=True))
