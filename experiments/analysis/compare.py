"""Two folders of results, cell by cell: is one faster, or is there no difference?

python -m experiments.analysis.compare A B
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.scaling import COMPARED, NULLABLE, STRONG, newest_comparable
from experiments.analysis.statistics import FLOOR, LEVEL, change, verdict
from experiments.host import provenance
from experiments.records.schema import OK
from experiments.records.store import read_trials
from experiments.report.render import text
from experiments.report.tables import DASH, Table

EXPLANATION = (
    f"Per cent of A's time, with the {100 * LEVEL:.0f} % interval from the repetitions, made wider by "
    f"{100 * FLOOR:.0f} % for what they cannot see and by the drift of the fixed kernel."
)
KERNEL = ("kernel_before_s", "kernel_after_s")
HERE = ("machine", "usable_cpus", "code_digest", "git_commit", *provenance.versions())
# What a cell is known by: all that tells trials apart except where and with which code they ran.
KEY = [name for name in dict.fromkeys((*STRONG, *COMPARED, "strategy_options")) if name not in HERE]


class NothingToCompareError(ValueError):
    """There is no cell that both sides have measured."""


def compare(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of either side, of trials as `read_trials` gives them: the columns of KEY; for
    each side `repetitions`, `wall_s` (geometric mean, seconds) and `kernel_s`; `change` of the time
    from A to B with its interval `low` to `high` (0.1: B takes 10 % longer), and `verdict` in words.

    Raises NothingToCompareError."""
    cells = _cells(a).merge(_cells(b), how="outer", on=KEY, suffixes=("_a", "_b"), sort=True)
    if not (cells["wall_s_a"].notna() & cells["wall_s_b"].notna()).any():
        raise NothingToCompareError("no cell was measured in both")
    rows = [_judged(cell) for cell in cells.to_dict("records")]
    return pd.DataFrame(rows).drop(columns=["walls_s_a", "walls_s_b"])


def _cells(trials: pd.DataFrame) -> pd.DataFrame:
    """The newest comparable cells: KEY, their wall times, the median kernel time."""
    kept, _ = newest_comparable(trials, KEY)
    kept = kept.astype(dict.fromkeys(NULLABLE, "Int64"))
    kernel = kept.reindex(columns=list(KERNEL)).astype(float)  # trials of earlier versions have none
    measured = (kept["status"] == OK) & kept["wall_s"].notna()
    rows = []
    for key, block in kept.groupby(KEY, dropna=False, sort=False):
        walls_s = block.loc[measured[block.index], "wall_s"].to_numpy(float)
        kernel_s = pd.Series(kernel.loc[block.index].to_numpy().ravel()).median()
        wall_s = float(np.exp(np.log(walls_s).mean())) if len(walls_s) else np.nan
        sums = {"repetitions": len(walls_s), "wall_s": wall_s, "kernel_s": kernel_s, "walls_s": walls_s}
        rows.append(dict(zip(KEY, key, strict=True)) | sums)
    return pd.DataFrame(rows).astype(dict.fromkeys(NULLABLE, "Int64"))


def _judged(cell: dict[Any, Any]) -> dict[Any, Any]:
    """The cell with its change, interval and verdict."""
    walls_s = [cell[f"walls_s_{side}"] for side in "ab"]
    unjudged = cell | {"change": np.nan, "low": np.nan, "high": np.nan}
    for name, other in zip("BA", walls_s, strict=True):
        if not isinstance(other, np.ndarray):  # the merge found no such cell
            return unjudged | {"verdict": f"only in {name}"}
    if lacking := [name for name, side in zip("AB", walls_s, strict=True) if not len(side)]:
        return unjudged | {"verdict": f"not measured in {' and '.join(lacking)}"}
    if min(map(len, walls_s)) == 1:
        return unjudged | {"verdict": "not decided: one repetition"}
    drift = np.nan_to_num(np.log(cell["kernel_s_b"] / cell["kernel_s_a"]))
    middle, low, high = map(float, change(walls_s[0], walls_s[1], drift))
    return cell | {"change": middle, "low": low, "high": high, "verdict": verdict(middle, low, high)}


def surroundings(a: pd.DataFrame, b: pd.DataFrame) -> str:
    """One line on what differs in machine, code and versions between the newest of A and of B."""
    newest = [newest_comparable(side, KEY)[0].sort_values("started_at").iloc[-1] for side in (a, b)]
    values = {name: [str(one[name] or "none") for one in newest] for name in HERE}
    differing = {name: f"{one} / {other}" for name, (one, other) in values.items() if one != other}
    if not differing:
        return "A and B: same machine, code and versions."
    warning = "a difference may be the machine's: " if "machine" in differing else ""
    return f"A and B differ: {warning}{'; '.join(f'{name} {both}' for name, both in differing.items())}."


def table(cells: pd.DataFrame, title: str, notes: list[str]) -> Table:
    """The cells of `compare` for people: of KEY what tells them apart."""
    names = [name for name in KEY if name in STRONG or cells[name].nunique(dropna=False) > 1]
    columns = [*names, *(f"{side} (s)" for side in "AB"), "verdict"]
    rows = [
        [str(cell[name]) for name in names] + [_seconds(cell[f"wall_s_{side}"]) for side in "ab"]
        for cell in cells.to_dict("records")
    ]
    rows = [[*row, said] for row, said in zip(rows, cells["verdict"], strict=True)]
    return Table(title, [("", name) for name in columns], rows, cells, notes)


def _seconds(wall_s: float) -> str:
    return DASH if pd.isna(wall_s) else f"{wall_s:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Says of each cell whether B is faster or slower than A, or no different."""
    parser = argparse.ArgumentParser(prog="python -m experiments.analysis.compare", description=main.__doc__)
    for side in "AB":
        parser.add_argument(side, type=Path, help="a folder of results, or of trials")
    chosen = parser.parse_args(arguments)
    a, b = (_trials(folder) for folder in (chosen.A, chosen.B))
    try:
        cells = compare(a, b)
    except NothingToCompareError as error:
        raise SystemExit(f"{chosen.A}, {chosen.B}: {error}") from error
    left_out = zip("AB", (newest_comparable(side, KEY)[1] for side in (a, b)), strict=True)
    title = f"B against A: A is {chosen.A}, B is {chosen.B}\n{surroundings(a, b)}"
    notes = [*(f"{name}: {note}." for name, note in left_out if note), EXPLANATION]
    print(text(table(cells, title, notes)), end="")


def _trials(folder: Path) -> pd.DataFrame:
    below = folder / "trials"  # beside it are the tasks, which are no trials
    trials = read_trials(below if below.is_dir() else folder)
    if trials.empty:
        raise SystemExit(f"{folder}: no trials")
    return trials


if __name__ == "__main__":
    main()
