"""Which trials may stand in one table: derived from what the columns say determines a measurement."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from experiments.analysis.scaling import require
from experiments.analysis.text import pluralise
from experiments.store.columns import DETERMINING, OK


def ok_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials, or points, with status ok."""
    return trials[trials["status"] == OK]


def select(trials: pd.DataFrame, axes: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The trials that may stand in one table with the newest, oldest first, and a line on each kind left out.

    `axes` are the columns that tell the points of the table apart. Kept is what agrees with the newest
    trial in every other determining column: in one that is compared `within` axes, with the newest trial
    of their same values. A null agrees with anything: such a trial failed before the value was known.
    Of the ok trials at a point those of the newest cell are kept. Raises NoTrialsError."""
    require(trials)
    kept = trials.sort_values("started_at", kind="stable")
    differing = []
    for column in sorted(DETERMINING, key=lambda column: len(column.within)):
        if column.name in axes or kept[column.name].nunique() < 2:
            continue
        values = _without_axes(kept[column.name], axes)
        within = [kept[name] for name in column.within if name in axes]
        groups = values.groupby(within or np.zeros(len(kept)), dropna=False)
        newest = groups.transform("last")  # of those known
        agrees = values.isna() | (values == newest)
        differing += [] if agrees.all() else [column.name]
        kept = kept[agrees]
    notes = []
    if left_out := len(trials) - len(kept):
        notes.append(f"{pluralise(left_out, 'trial')} left out, unlike the newest in {', '.join(differing)}")
    older = _of_older_cells(kept, axes)
    if older.any():
        notes.append(f"{pluralise(older.sum(), 'trial')} of older cells at the same point left out")
    return kept[~older].reset_index(drop=True), notes


def _without_axes(values: "pd.Series[str]", axes: Sequence[str]) -> "pd.Series[str]":
    """The values to compare: strategy options without those that are axes themselves (`savers`)."""
    if values.name != "strategy_options":
        return values
    return values.map(
        lambda options: json.dumps({k: v for k, v in json.loads(options).items() if k not in axes})
    )


def _of_older_cells(trials: pd.DataFrame, axes: Sequence[str]) -> "pd.Series[bool]":
    """Which ok trials are of another cell than the newest one that was ok at their point."""
    ok = trials["status"] == OK
    newest = trials["cell"].where(ok).groupby([trials[name] for name in axes], dropna=False).transform("last")
    return ok & (trials["cell"] != newest)
