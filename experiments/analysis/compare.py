"""Two sets of trials, cell by cell: is one faster, or is there no difference?"""

from typing import Any

import pandas as pd

from augment.strategies.instruments.interference import Interference
from experiments.analysis.select import ok_trials, select
from experiments.analysis.statistics import BlockModel, Interval
from experiments.analysis.text import percent_interval
from experiments.store.columns import DETERMINING, OK, Determines

WORK = [column.name for column in DETERMINING if column.determines is Determines.WORK]
ENVIRONMENT = [column.name for column in DETERMINING if column.determines is Determines.ENVIRONMENT]
NULLABLE = [column.name for column in DETERMINING if column.name in WORK and column.nullable]
SIZE = ["width", "height"]  # says of the inputs what their digest does not


class NothingToCompareError(ValueError):
    """There is no cell that both sides have measured."""


def compare(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of either side, paired by the work and never by environment: the columns of WORK and
    SIZE; for each side `repetitions` and `wall_s` (seconds, geometric mean); `change` of the time from A to B
    with its interval `low` to `high` (0.1: B takes 10 % longer), and `verdict` in words. Of each side those
    trials count that agree in environment with its newest; those of `interference` take what they take.

    A and B share no round, so that the rounds' differences are part of the error, which is known from as
    many as there are rounds. Raises NoTrialsError and NothingToCompareError."""
    sides = [select(side, WORK)[0].assign(side=name) for name, side in zip("ab", (a, b), strict=True)]
    trials = _completed(pd.concat(sides))
    trials = trials[trials["strategy"] != Interference.name]
    trials["cell"] = trials.groupby(WORK, dropna=False).ngroup()
    ok = ok_trials(trials)
    rounds = ok.groupby(["side", "sweep", "round"]).ngroups
    names = list(zip(ok["side"], ok["cell"], strict=True))
    model = BlockModel(names, None, ok["wall_s"].to_numpy(float), dof=max(rounds - 2, 0))
    rows = [
        _judged(block, model, dict(zip(WORK, key, strict=True)))
        for key, block in trials.groupby(WORK, dropna=False)
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


def _judged(trials: pd.DataFrame, model: BlockModel, work: dict[str, Any]) -> dict[str, Any]:
    """What each side measured of a cell, and what changed from A to B."""
    cell = trials["cell"].iloc[0]
    ok = ok_trials(trials)["side"]
    change = Interval(*(end - 1 for end in model.log_ratio(("b", cell), ("a", cell)).exp()))
    return (
        work
        | {name: trials[name].max() for name in SIZE}
        | {f"repetitions_{name}": int((ok == name).sum()) for name in "ab"}
        | {f"wall_s_{name}": model.seconds((name, cell)) for name in "ab"}
        | dict(zip(("change", "low", "high"), change, strict=True))
        | {"verdict": _in_words({*trials["side"]}, {*ok}, change)}
    )


def _in_words(sides: set[str], ok: set[str], change: Interval) -> str:
    """Whether B is faster or slower, or why nothing can be said."""
    if len(sides) == 1:
        return f"only in {sides.pop().upper()}"
    if lacking := [name.upper() for name in "ab" if name not in ok]:
        return f"not measured in {' and '.join(lacking)}"
    if not change.known:
        return "not decided: one round"
    if change.low <= 0 <= change.high:
        return f"no difference: {percent_interval(*change, sign='+')}"
    if change.value > 0:
        return f"B is slower by {percent_interval(*change)}"
    return f"B is faster by {percent_interval(-change.value, -change.high, -change.low)}"


def environments(a: pd.DataFrame, b: pd.DataFrame) -> str:
    """One line on what differs in machine, code and versions between the newest of A and of B."""
    newest = [side.sort_values("started_at").iloc[-1].fillna("none") for side in (a, b)]
    pairs = {name: [trial[name] for trial in newest] for name in [*ENVIRONMENT, "git_commit"]}
    differing = [f"{name} {before} / {after}" for name, (before, after) in pairs.items() if before != after]
    if not differing:
        return "A and B: same machine, code and versions."
    warning = "a difference may be the machine's: " if newest[0]["machine"] != newest[1]["machine"] else ""
    return f"A and B differ: {warning}{'; '.join(differing)}."
