"""The trials that may stand in one table, by the columns that determine a measurement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from augment.strategies import STRATEGIES
from augment.strategies.sequential import Sequential
from experiments.store.columns import DETERMINING, NODE, OF_OUTPUTS, OK, UNTOUCHED, facts
from experiments.store.files import DetailReader

STRONG = ("saving", "strategy", "workers")  # the columns that tell points of strong scaling apart
ABLATED = (*STRONG, "ablation")
WEAK = (*STRONG, "width", "height")
INSTRUMENTS = [name for name, kind in STRATEGIES.items() if kind.instrument]  # they measure the machine


class NoTrialsError(ValueError):
    """Results without a trial to report on."""


class LeftOut(NamedTuple):
    """Trials that are in no table, because they differ from the newest one in these columns."""

    trials: int
    columns: tuple[str, ...]


class CellKey(NamedTuple):
    """The values that trials of one workload are grouped by."""

    strategy: str
    workers: int
    saving: bool
    ablation: str = UNTOUCHED


def cell_keys(trials: pd.DataFrame) -> list[CellKey]:
    """Return the key of each trial."""
    return [CellKey(*values) for values in trials[[*CellKey._fields]].itertuples(index=False, name=None)]


def place(strategy: str) -> tuple[int, str]:
    """Return the sort key of a strategy: the order of STRATEGIES, then unknown ones by name."""
    return ([*STRATEGIES, strategy].index(strategy), strategy)


def require(trials: pd.DataFrame) -> None:
    """Raise NoTrialsError if there are no trials."""
    if trials.empty:
        raise NoTrialsError("no trials to report: run `make strong-scaling` first")


def ok_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials, or points, with status ok; a trial that went on with outputs measures no cell."""
    resumed = trials.get("resumed_outputs", pd.Series(0, trials.index))
    return trials[(trials["status"] == OK) & ~(resumed > 0)]


def recorded(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return the trials whose tasks were recorded."""
    return trials[trials["trial_id"].map(lambda trial_id: parts.has("tasks", trial_id)).astype(bool)]


def select(trials: pd.DataFrame, axes: Sequence[str]) -> tuple[pd.DataFrame, list[LeftOut]]:
    """Return the trials that may stand in one table with the newest, oldest first, and those left out.

    `axes` are the columns that tell the points of the table apart. A trial is kept if it agrees with the
    newest one in every other determining column; in a column that is compared `within` axes, with the newest
    trial that has the same values there. A null agrees with anything, because such a trial failed before the
    value was known. Of the ok trials at a point those of the newest cell are kept, and of them those of the
    newest node. Raises NoTrialsError.
    """
    require(trials)
    kept = trials.sort_values("started_at", kind="stable")
    differing = []
    for column in sorted(DETERMINING, key=lambda column: len(column.within)):
        if column.determines == NODE or column.name in axes or kept[column.name].nunique() < 2:
            continue
        within = [kept[name] for name in column.within if name in axes] or np.zeros(len(kept))
        known = pd.DataFrame([facts(column, value) for value in kept[column.name]], kept.index)
        # `last` is the newest that is known.
        agrees = known.isna() | (known == known.groupby(within, dropna=False).transform("last"))
        differing += list(known.columns[~agrees.all()])
        kept = kept[agrees.all(axis=1)]
    left_out = [LeftOut(len(trials) - len(kept), tuple(differing))]
    is_unequal = _makes_other_outputs(kept)
    left_out += [LeftOut(int(is_unequal.sum()), ("outputs",))]
    kept = kept[~is_unequal]
    for name in ("cell", "node"):
        is_ok, values = kept["status"] == OK, kept[name].fillna("")
        newest = values.where(is_ok).groupby([kept[axis] for axis in axes], dropna=False).transform("last")
        is_older = is_ok & (values != newest)
        left_out += [LeftOut(int(is_older.sum()), (name,))]
        kept = kept[~is_older]
    return kept.reset_index(drop=True), [each for each in left_out if each.trials]


def _makes_other_outputs(trials: pd.DataFrame) -> "pd.Series[bool]":
    """Return which trials wrote other outputs for equal work than the newest of sequential, or of any."""
    is_whole = (trials["status"] == OK) & ~(trials["hashed_outputs"] < trials["outputs"])
    digests = trials["outputs_digest"].where(is_whole)
    work = [trials[name] for name in OF_OUTPUTS]
    of_sequential, newest = (
        known.groupby(work, dropna=False).transform("last")
        for known in (digests.where(trials["strategy"] == Sequential.name), digests)
    )
    return digests.notna() & (digests != of_sequential.fillna(newest))
