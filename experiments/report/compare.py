"""The command that compares two folders of results, cell by cell.

python -m experiments.report.compare A B [--fail-on slower]
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.analysis import compare as analysis
from experiments.analysis.select import STRONG, NoTrialsError, select
from experiments.analysis.statistics import LEVEL
from experiments.report.tables import Table, text_table
from experiments.report.texts import left_out_note, percent, percent_interval, written
from experiments.store import files as store
from experiments.wording import pluralise

EXPLANATION = (
    f"Changes are in per cent of A's time. In parentheses: the {percent(LEVEL)} interval of each cell by "
    "itself, from the variation between rounds and between occasions, of which A and B have none in common."
)


def verdict_text(row: Any) -> str:
    """Return the verdict on a cell, with the change of its time."""
    change, low, high = row["change"], row["low"], row["high"]
    texts = {
        analysis.FASTER: f"B is faster by {percent_interval(-change, -high, -low)}",
        analysis.SLOWER: f"B is slower by {percent_interval(change, low, high)}",
        analysis.NO_DIFFERENCE: f"no difference: {percent_interval(change, low, high, sign='+')}",
        analysis.ONE_ROUND: "not decided: one round",
    }
    return texts.get(row["verdict"], str(row["verdict"]))


def environment_line(a: pd.DataFrame, b: pd.DataFrame) -> str:
    """Return the differences in machine, code and versions between the newest trials of A and of B."""
    changes = analysis.environment_changes(a, b)
    if not changes:
        return "A and B: same machine, code and versions."
    warning = "a difference may be the machine's: " if "machine" in changes else ""
    values = "; ".join(f"{name} {before} / {after}" for name, (before, after) in changes.items())
    return f"A and B differ: {warning}{values}."


def comparison(a_folder: Path, b_folder: Path) -> Table:
    """Return a row per cell, named by the columns that differ. Raises NoTrialsError if none is in both."""
    a, b = (_trials(folder) for folder in (a_folder, b_folder))
    cells = analysis.compare(a, b)
    differing = cells.columns[cells.astype(str).nunique() > 1]
    keys = [name for name in [*analysis.WORK, *analysis.SIZE] if name in STRONG or name in differing]
    left_out = [
        f"{name}: {left_out_note(each)}."
        for name, side in (("A", a), ("B", b))
        for each in select(side, analysis.WORK)[1]
    ]
    columns = {
        "A (s)": lambda row: written(row["wall_s_a"], ".2f"),
        "B (s)": lambda row: written(row["wall_s_b"], ".2f"),
        "verdict": verdict_text,
    }
    title = f"B against A: A is {a_folder}, B is {b_folder}\n{environment_line(a, b)}"
    return text_table(title, cells, keys, columns, [*left_out, EXPLANATION])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print for each cell whether B is faster than A, slower, or no different."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report.compare", description=main.__doc__)
    for side in "AB":
        parser.add_argument(side, type=Path, help="a folder of results or of trials")
    fail_help = "end with status 1 if B is surely slower in any cell"
    parser.add_argument("--fail-on", choices=[analysis.SLOWER], help=fail_help)
    chosen = parser.parse_args(arguments)
    try:
        table = comparison(chosen.A, chosen.B)
    except NoTrialsError as error:
        raise SystemExit(f"{chosen.A}, {chosen.B}: {error}") from error
    print(table.text(), end="")
    verdicts = zip(table.data["verdict"], table.rows, strict=True)
    if failing := ["  ".join(row) for verdict, row in verdicts if verdict == chosen.fail_on]:
        raise SystemExit("\n".join([f"{pluralise(len(failing), 'cell')} {chosen.fail_on}:", *failing]))


def _trials(folder: Path) -> pd.DataFrame:
    below = folder / "trials"
    trials = store.read(below if below.is_dir() else folder, "trials")
    if trials.empty:
        raise SystemExit(f"{folder}: no trials; give a folder of results or of trials")
    return trials


if __name__ == "__main__":
    main()
