"""Two sets of trials, cell by cell: is one faster, or is there no difference?"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.scaling import NoTrialsError
from experiments.analysis.select import select
from experiments.analysis.statistics import Array, change, in_words
from experiments.records.schema import DETERMINING, OK, Determines

WORK = [column.name for column in DETERMINING if column.determines is Determines.WORK]
ENVIRONMENT = [column.name for column in DETERMINING if column.determines is Determines.ENVIRONMENT]
NULLABLE = [column.name for column in DETERMINING if column.name in WORK and column.nullable]
KERNEL = ["kernel_before_s", "kernel_after_s"]
SIZE = ["width", "height"]  # says of the inputs what their digest does not
TRIALS_A_SIDE = 3  # of an A/A test


class NothingToCompareError(ValueError):
    """There is no cell that both sides have measured."""


def compare(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of either side, paired by the work and never by environment: the columns of WORK and
    SIZE; for each side `repetitions`, `wall_s` (geometric mean, seconds) and `kernel_s` (median);
    `change` of the time from A to B with its interval `low` to `high` (0.1: B takes 10 % longer), and
    `verdict` in words. Of each side those trials count that agree in environment with its newest.

    Raises NoTrialsError and NothingToCompareError."""
    sides = [select(side, WORK)[0].assign(side=name) for name, side in zip("ab", (a, b), strict=True)]
    cells = _completed(pd.concat(sides)).groupby(WORK, dropna=False)
    rows = [
        dict(zip(WORK, key, strict=True)) | {name: block[name].max() for name in SIZE} | _judged(block)
        for key, block in cells
    ]
    compared = pd.DataFrame(rows)
    if not (compared[["repetitions_a", "repetitions_b"]].min(axis=1) > 0).any():
        raise NothingToCompareError("no cell was measured in both")
    return compared


def _completed(trials: pd.DataFrame) -> pd.DataFrame:
    """Gives trials that failed before their inputs were known those of the cell they agree with otherwise."""
    key = [name for name in WORK if name not in NULLABLE]
    known = trials[NULLABLE].fillna(trials.groupby(key)[NULLABLE].transform("first"))
    return trials.assign(**known.where(trials["status"] != OK, trials[NULLABLE]))


def _judged(cell: pd.DataFrame) -> dict[str, Any]:
    """What each side measured of a cell, and what changed from A to B."""
    sides = [cell[cell["side"] == name] for name in "ab"]
    walls_s = [side.loc[side["status"] == OK, "wall_s"].to_numpy(float) for side in sides]
    kernel_s = [pd.Series(side[KERNEL].to_numpy(float).ravel()).median() for side in sides]
    middle, low, high, verdict = np.nan, np.nan, np.nan, _undecided(sides, walls_s)
    if verdict is None:
        drift = np.nan_to_num(np.log(kernel_s[1] / kernel_s[0]))
        middle, low, high = map(float, change(walls_s[0], walls_s[1], drift))
        verdict = in_words(middle, low, high)
    summary: dict[str, Any] = {}
    for name, times_s, fixed_s in zip("ab", walls_s, kernel_s, strict=True):
        mean_s = float(np.exp(np.log(times_s).mean())) if len(times_s) else np.nan
        summary |= {
            f"repetitions_{name}": len(times_s),
            f"wall_s_{name}": mean_s,
            f"kernel_s_{name}": fixed_s,
        }
    return summary | {"change": middle, "low": low, "high": high, "verdict": verdict}


def _undecided(sides: list[pd.DataFrame], walls_s: list[Array]) -> str | None:
    """Why nothing can be said of a cell; None where something can."""
    for other, side in zip("BA", sides, strict=True):
        if side.empty:
            return f"only in {other}"
    if lacking := [name for name, times_s in zip("AB", walls_s, strict=True) if not len(times_s)]:
        return f"not measured in {' and '.join(lacking)}"
    return "not decided: one repetition" if min(map(len, walls_s)) == 1 else None


def environments(a: pd.DataFrame, b: pd.DataFrame) -> str:
    """One line on what differs in machine, code and versions between the newest of A and of B."""
    newest = [side.sort_values("started_at").iloc[-1].fillna("none") for side in (a, b)]
    pairs = {name: [trial[name] for trial in newest] for name in [*ENVIRONMENT, "git_commit"]}
    differing = [f"{name} {before} / {after}" for name, (before, after) in pairs.items() if before != after]
    if not differing:
        return "A and B: same machine, code and versions."
    warning = "a difference may be the machine's: " if newest[0]["machine"] != newest[1]["machine"] else ""
    return f"A and B differ: {warning}{'; '.join(differing)}."


def against_itself(trials: pd.DataFrame) -> pd.DataFrame:
    """A comparison, as `compare` gives it, of each TRIALS_A_SIDE consecutive ok trials of one cell with
    the next as many, in the order of their time. Raises NoTrialsError where there are too few."""
    ordered = trials[trials["status"] == OK].sort_values("started_at")
    ends = range(TRIALS_A_SIDE, len(ordered) + 1, TRIALS_A_SIDE)
    groups = [ordered.iloc[end - TRIALS_A_SIDE : end] for end in ends]
    if len(groups) < 2:
        raise NoTrialsError(f"fewer than {2 * TRIALS_A_SIDE} trials: run `make against-itself`")
    return pd.concat([compare(a, b) for a, b in pairwise(groups)], ignore_index=True)
