"""The candidates of a search, held against each other in the rounds of the block model."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from augment.strategies import STRATEGIES
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.engines import Cell
from experiments.analysis.scaling import INSTRUMENTS, require
from experiments.analysis.select import select
from experiments.analysis.statistics import LEVEL, BlockModel, best_set
from experiments.store.columns import OK, UNTOUCHED
from experiments.store.files import DetailReader

ENOUGH = 0.05  # a bound below which no more rounds are needed
AXES = ("strategy", "workers", "runtime")
PLACES = {name: place for place, name in enumerate(STRATEGIES)}


def tie_break(cell: Cell) -> tuple[int, int, Cell]:
    """Return the order of cells that are equally good: fewer workers first, then the order of STRATEGIES."""
    return cell.workers, PLACES.get(cell.strategy, len(PLACES)), cell


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
        wanted = [each for each in cells if each.strategy not in INSTRUMENTS]
        return sorted(wanted, key=lambda cell: (self.model.seconds(cell), tie_break(cell)))

    def of(self, cell: Cell) -> pd.DataFrame:
        """The ok trials of a candidate."""
        here = (self.trials[[*Cell._fields]] == list(cell)).all(axis=1)
        return self.trials[here & (self.trials["status"] == OK)]


def newest_search(trials: pd.DataFrame, asked: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The trials of the newest search that measured anything, its pilot's among them, and what it was asked
    for (rows of `schema.Candidate`); all trials where no search is recorded."""
    for begin in sorted(set(asked["started_at"]), reverse=True):
        since = trials[trials["started_at"] >= begin]
        if len(since):
            return since, asked[asked["started_at"] == begin]
    return trials, asked.iloc[:0]


def measured(trials: pd.DataFrame, parts: DetailReader, asked: pd.DataFrame) -> Measured:
    """The candidates of the newest search, without its ablations, on the sample that most of them were
    measured on: neither the pilot's nor the long run's. Raises NoTrialsError."""
    trials, _ = newest_search(trials, asked)
    of_search = trials[trials["ablation"] == UNTOUCHED]
    require(of_search)
    cells = of_search.drop_duplicates(["tasks", *Cell._fields])["tasks"].value_counts().sort_index()
    if len(cells):
        of_search = of_search[of_search["tasks"].isna() | (of_search["tasks"] == cells.idxmax())]
    kept, notes = select(of_search, AXES)
    rated = with_ceilings(kept, parts)
    ok = rated[rated["status"] == OK]
    return Measured(
        rated, fitted(ok, [Cell(*each) for each in ok[[*Cell._fields]].itertuples(index=False)]), notes
    )


def fitted(ok: pd.DataFrame, cells: Sequence[Hashable]) -> BlockModel:
    """The model of ok trials in their rounds; as they come where a launcher gave each cell rounds of its
    own."""
    shared = pd.Series([*cells], dtype=object).groupby([ok[name].to_numpy() for name in ("sweep", "round")])
    if len(ok) and (shared.nunique() > 1).any():
        return BlockModel.of(ok, cells)
    return BlockModel(cells, None, ok["wall_s"].to_numpy(float))


def recommended(found: Measured) -> Cell:
    """The candidate that is at most slower than the best by least; one with more workers than CPUs only where
    it is surely faster than the best one without."""
    bounds, model = best_set(found.model, found.candidates), found.model
    ranked = sorted(found.candidates, key=lambda cell: (bounds[cell], tie_break(cell)))
    cpus = found.trials["usable_cpus"].max()
    within = [cell for cell in ranked if cell.workers <= cpus]
    if within and not model.log_ratio(within[0], ranked[0]).exp().low > 1:
        return within[0]
    return ranked[0]


def survivors(found: Measured, at_most: int) -> list[Cell]:
    """What more rounds are for: the recommended candidate, and those that it may be slower than by most,
    beyond ENOUGH. All others are surely about as slow or slower."""
    best = recommended(found)
    others = [cell for cell in found.candidates if cell != best]
    level = 1 - 2 * (1 - LEVEL) / max(len(others), 1)  # one-sided, as in `best_set`
    highs = {cell: found.model.log_ratio(best, cell).exp(level).high for cell in others}
    rivals = [cell for cell in others if not highs[cell] <= 1 + ENOUGH]
    rivals = sorted(rivals, key=lambda cell: (-highs[cell], tie_break(cell)))
    return [best, *rivals[: at_most - 1]]
