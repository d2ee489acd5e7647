"""The candidates of a search, held against each other in the rounds of the block model."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.engines import Cell
from experiments.analysis.scaling import INSTRUMENTS, require
from experiments.analysis.select import select
from experiments.analysis.statistics import LEVEL, BlockModel, best_set
from experiments.plan.options import UNTOUCHED
from experiments.records.schema import OK
from experiments.records.store import Parts

ENOUGH = 0.05  # a bound below which no more rounds are needed
AXES = ("strategy", "workers", "runtime")


@dataclass(frozen=True)
class Measured:
    """The trials that an answer is drawn from, in the seconds of the ceiling's rate for copies."""

    trials: pd.DataFrame
    model: BlockModel
    notes: list[str]

    @property
    def candidates(self) -> list[Cell]:
        """What may be recommended, the fastest first."""
        cells: Any = self.model.cells
        return sorted((each for each in cells if each.strategy not in INSTRUMENTS), key=self.model.seconds)

    def of(self, cell: Cell) -> pd.DataFrame:
        """The ok trials of a candidate."""
        here = (self.trials[[*Cell._fields]] == list(cell)).all(axis=1)
        return self.trials[here & (self.trials["status"] == OK)]


def measured(trials: pd.DataFrame, parts: Parts, asked: pd.DataFrame) -> Measured:
    """The candidates of the newest search, without its ablations, on the largest sample that several of them
    were measured on. Raises NoTrialsError."""
    begun = trials["started_at"] >= (asked["started_at"].max() if len(asked) else trials["started_at"].min())
    of_search = trials[begun & (trials["ablation"] == UNTOUCHED)]
    require(of_search)
    cells = (
        of_search.groupby("tasks")[["strategy", "workers", "runtime_name"]]
        .value_counts()
        .groupby("tasks")
        .size()
    )
    sizes = sorted(cells.index[cells > 1]) or sorted(cells.index)
    if sizes:
        of_search = of_search[of_search["tasks"].isna() | (of_search["tasks"] == sizes[-1])]
    kept, notes = select(of_search, AXES)
    rated = with_ceilings(kept, parts)
    ok = rated[rated["status"] == OK]
    names = [Cell(*each) for each in ok[[*Cell._fields]].itertuples(index=False)]
    return Measured(rated, BlockModel.of(ok, names), notes)


def recommended(found: Measured) -> Cell:
    """The candidate that is at most slower than the best by least; one with more workers than CPUs only where
    it is surely faster than the best one without."""
    bounds, model = best_set(found.model, found.candidates), found.model
    ranked = sorted(found.candidates, key=lambda cell: (bounds[cell], cell.workers))
    cpus = found.trials["usable_cpus"].max()
    within = [cell for cell in ranked if cell.workers <= cpus]
    if within and not model.ratio(within[0], ranked[0]).ratio().low > 1:
        return within[0]
    return ranked[0]


def survivors(found: Measured, at_most: int) -> list[Cell]:
    """What more rounds are for: the recommended candidate, and those that it may be slower than by most,
    beyond ENOUGH. All others are surely about as slow or slower."""
    best = recommended(found)
    others = [cell for cell in found.candidates if cell != best]
    level = 1 - 2 * (1 - LEVEL) / max(len(others), 1)  # one-sided, as in `best_set`
    highs = {cell: found.model.ratio(best, cell).ratio(level).high for cell in others}
    rivals = sorted((cell for cell in others if not highs[cell] <= 1 + ENOUGH), key=lambda cell: -highs[cell])
    return [best, *rivals[: at_most - 1]]
