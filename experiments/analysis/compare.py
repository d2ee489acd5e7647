"""The comparison of two sets of trials, cell by cell."""

from typing import Any

import numpy as np
import pandas as pd

from augment.strategies.instruments.interference import Interference
from experiments.analysis.occasions import between, numbered
from experiments.analysis.select import NoTrialsError, ok_trials, require, select
from experiments.analysis.statistics import UNKNOWN, BlockModel, Estimate, Interval
from experiments.store.columns import DETERMINING, OF_WORK, facts

SIZE = ["width", "height"]  # of the inputs, of which OF_WORK has only the digest
FASTER, SLOWER, NO_DIFFERENCE, ONE_ROUND = "faster", "slower", "no difference", "one round"
ONLY_IN, NOT_MEASURED_IN = "only in", "not measured in"  # before the sides that this is true of


def compare(a: pd.DataFrame, b: pd.DataFrame, in_turns: bool = False) -> pd.DataFrame:
    """Return a row per cell of either side: OF_WORK, SIZE, and what each side measured.

    Each side has `wall_s_…`, the geometric mean. `change` is that of the time from A to B with the ends `low`
    and `high` (0.1: B takes 10 % longer), `verdict` one of the constants above. Cells are paired by OF_WORK,
    never by environment. Of each side those trials count that agree in environment with its newest one,
    without `interference`, whose time is fixed. If the sides measured `in_turns`, the last trials of a cell
    share a block, those before them another, and so on. Raises NoTrialsError.
    """
    sides = [select(side, OF_WORK)[0].assign(side=name) for name, side in zip("ab", (a, b), strict=True)]
    trials = pd.concat(sides)
    trials = trials[trials["strategy"] != Interference.name]
    require(trials)
    trials["cell"] = trials.groupby(OF_WORK, dropna=False).ngroup()
    ok = ok_trials(trials)
    model, found = changes_in_turns(ok) if in_turns else changes(ok)
    rows = [
        dict(zip(OF_WORK, key, strict=True)) | _compared(block, model, found)
        for key, block in trials.groupby(OF_WORK, dropna=False)
    ]
    compared = pd.DataFrame(rows)
    if compared["change"].isna().all():
        raise NoTrialsError("no cell was measured in both")
    return compared


def changes(ok: pd.DataFrame) -> tuple[BlockModel, dict[Any, Estimate]]:
    """Return the model of ok trials with a `side` and a `cell`, and for each cell the log-ratio of B to A.

    A and B share no round, so the error includes the differences between rounds. The number of rounds gives
    its degrees of freedom; a cell counts once a round. Nor do they share an occasion (see `occasions`).
    """
    once = ok.assign(log=np.log(ok["wall_s"])).groupby(["side", "cell", "sweep", "round"], as_index=False)
    means = once.agg({"log": "mean", "started_at": "min", "wall_s": "sum"})
    cells = list(zip(means["side"], means["cell"], strict=True))
    rounds = len(means[["side", "sweep", "round"]].drop_duplicates())
    model = BlockModel(cells, None, np.exp(means["log"]), dof=max(rounds - 2, 0))
    counts = numbered(means).groupby([means["side"], means["cell"]]).nunique()
    occasions, found = between(means, cells, means["log"]), {}
    for cell in means["cell"].unique():
        sides = [("b", cell), ("a", cell)]
        if {*sides} <= model.cells.keys():
            found[cell] = occasions.widen(model.log_ratio(*sides), sum(1 / counts[side] for side in sides))
    return model, found


def changes_in_turns(ok: pd.DataFrame) -> tuple[BlockModel, dict[Any, Estimate]]:
    """Return the same of trials that A and B took in turns: the last of each are in one block, and so on."""
    turns = ok.groupby(["side", "cell"]).cumcount(ascending=False)  # one side may have older ones, too
    cells, blocks = list(zip(ok["side"], ok["cell"], strict=True)), list(zip(ok["cell"], turns, strict=True))
    model = BlockModel(cells, blocks, ok["wall_s"].to_numpy(float))
    return model, {cell: model.log_ratio(("b", cell), ("a", cell)) for cell in ok["cell"].unique()}


def _compared(trials: pd.DataFrame, model: BlockModel, found: dict[Any, Estimate]) -> dict[str, Any]:
    """Return what each side measured of a cell, and the change from A to B."""
    cell, ok = trials["cell"].iloc[0], ok_trials(trials)["side"]
    change = Interval(*(end - 1 for end in found.get(cell, UNKNOWN).exp()))
    return {
        **{name: trials[name].max() for name in SIZE},
        **{f"wall_s_{side}": model.seconds((side, cell)) for side in "ab"},
        **dict(zip(("change", "low", "high"), change, strict=True)),
        "verdict": _verdict({*trials["side"]}, {*ok}, change),
    }


def _verdict(sides: set[str], ok: set[str], change: Interval) -> str:
    if len(sides) == 1:
        return f"{ONLY_IN} {sides.pop().upper()}"
    if missing := [side.upper() for side in "ab" if side not in ok]:
        return f"{NOT_MEASURED_IN} {' and '.join(missing)}"
    if not change.known:
        return ONE_ROUND
    if change.low <= 0 <= change.high:
        return NO_DIFFERENCE
    return SLOWER if change.value > 0 else FASTER


def environment_changes(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, tuple[Any, Any]]:
    """Return the columns of ENVIRONMENT, and the commit, in which the newest trials of A and of B differ."""
    of_a, of_b = (_environment(side.sort_values("started_at").iloc[-1].fillna("none")) for side in (a, b))
    return {name: (of_a[name], of_b[name]) for name in of_a if of_b.get(name, of_a[name]) != of_a[name]}


def _environment(trial: "pd.Series[Any]") -> dict[str, Any]:
    known = {"git_commit": trial["git_commit"]}
    for column in DETERMINING:
        known |= facts(column, trial[column.name]) if column.name not in OF_WORK else {}
    return known
