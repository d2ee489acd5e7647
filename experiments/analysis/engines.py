"""Every strategy on every workload of an experiment, held against the ceiling under the same runtime."""

from collections.abc import Iterable
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from augment.strategies.instruments.copies import Copies
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import STATUS, STRONG, require
from experiments.analysis.select import select
from experiments.analysis.statistics import BlockModel, Interval
from experiments.analysis.text import with_or_without
from experiments.records.schema import OK
from experiments.records.store import Parts

WORKLOAD = ["pipeline", "width", "height", "saving"]
AS_STUDIED = "study"  # the runtime of the study


class Cell(NamedTuple):
    """What the model of a workload calls a cell."""

    strategy: str
    workers: int
    runtime_name: str


class Workload(NamedTuple):
    """One workload (values of WORKLOAD), its trials that may stand together with copies' seconds those of
    their rate, the model of the ok ones, and lines on what was left out."""

    values: dict[str, Any]
    trials: pd.DataFrame
    model: BlockModel
    notes: list[str]

    @property
    def name(self) -> str:
        """`light, 2000x1000, no saving`."""
        size = "{pipeline}, {width:.0f}x{height:.0f}".format(**self.values)
        return f"{size}, {with_or_without(self.values['saving'])}"


def workloads(trials: pd.DataFrame, parts: Parts) -> list[Workload]:
    """Each workload that was measured. Raises NoTrialsError."""
    require(trials)
    return [_workload(same, parts) for _, same in trials.groupby(WORKLOAD, sort=False)]


def _workload(trials: pd.DataFrame, parts: Parts) -> Workload:
    kept, notes = select(trials, (*STRONG, "runtime"))
    rated = pd.concat(with_ceilings(block, parts) for _, block in kept.groupby("runtime"))
    ok, values = rated[rated["status"] == OK], dict(zip(WORKLOAD, rated[WORKLOAD].iloc[0], strict=True))
    names = [Cell(*each) for each in ok[[*Cell._fields]].itertuples(index=False)]
    return Workload(values, rated, BlockModel.of(ok, names), notes)


def engine_points(measured: Iterable[Workload]) -> pd.DataFrame:
    """A row per workload, strategy, workers and runtime: status and error, rounds, seconds and images a
    second, the share of the ceiling under the same runtime, each with its interval; mean peak memory."""
    rows = []
    for values, trials, model, _ in measured:
        cells: Any = trials.groupby([*Cell._fields], sort=False)
        rows += [values | _point(Cell(*cell), same, model) for cell, same in cells]
    return pd.DataFrame(rows)


def _point(cell: Cell, trials: pd.DataFrame, model: BlockModel) -> dict[str, Any]:
    ok = trials[trials["status"] == OK]
    ceiling = cell._replace(strategy=Copies.name)
    share = model.ratio(ceiling, cell).ratio() if cell != ceiling else Interval(nan, nan, nan)
    level = model.level(cell)
    return {
        **cell._asdict(),
        "status": trials["status"].astype(STATUS).max() if len(ok) == 0 else OK,
        "error": None if len(ok) else trials["error"].iloc[-1],
        "rounds": model.rounds.get(cell, 0),
        **_ends("wall_s", level.ratio()),
        **_ends("images_per_s", level.inverse().ratio().times(ok["tasks"].mean())),
        **_ends("ceiling_share", share),
        "peak_rss_bytes": ok["peak_rss_bytes"].mean(),
    }


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval, strict=True))
