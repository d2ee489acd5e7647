"""The command that compares two folders of results, or two checkouts, cell by cell.

python -m experiments.report.compare A B [--fail-on slower]
python -m experiments.report.compare A B --interleaved strategy=p2,dynamic workers=2 [--rounds 5]
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments import ROOT
from experiments.analysis import compare as analysis
from experiments.analysis.select import STRONG, NoTrialsError, select
from experiments.analysis.statistics import LEVEL
from experiments.report.tables import Table, text_table
from experiments.report.texts import left_out_note, percent, percent_interval, written
from experiments.store import files as store
from experiments.store.columns import OF_WORK
from experiments.wording import pluralise

EXPLANATION = (
    f"Changes are in per cent of A's time. In parentheses: the {percent(LEVEL)} interval of each cell by "
    "itself, from the variation between rounds"
)
APART = " and between occasions, of which A and B have none in common."
IN_TURNS = ". A and B were measured in turns."


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


def comparison(a_folder: Path, b_folder: Path, in_turns: bool = False) -> Table:
    """Return a row per cell, named by the columns that differ. Raises NoTrialsError if none is in both."""
    a, b = (_trials(folder) for folder in (a_folder, b_folder))
    cells = analysis.compare(a, b, in_turns)
    differing = cells.columns[cells.astype(str).nunique() > 1]
    keys = [name for name in [*OF_WORK, *analysis.SIZE] if name in STRONG or name in differing]
    left_out = [
        f"{name}: {left_out_note(each)}."
        for name, side in (("A", a), ("B", b))
        for each in select(side, OF_WORK)[1]
    ]
    columns = {
        "A (s)": lambda row: written(row["wall_s_a"]),
        "B (s)": lambda row: written(row["wall_s_b"]),
        "verdict": verdict_text,
    }
    title = f"B against A: A is {a_folder}, B is {b_folder}\n{environment_line(a, b)}"
    notes = [*left_out, EXPLANATION + (IN_TURNS if in_turns else APART)]
    return text_table(title, cells, keys, columns, notes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print for each cell whether B is faster than A, slower, or no different."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report.compare", description=main.__doc__)
    for side in "AB":
        parser.add_argument(side, help="a folder of results or of trials; with --interleaved see there")
    turns_help = "measure now, in turns: A and B are commits, checkouts or Pythons; words of the cells follow"
    parser.add_argument("--interleaved", nargs="*", metavar="WORD", help=turns_help)
    parser.add_argument("--rounds", type=int, default=5, help="trials of each cell on each side (5)")
    parser.add_argument("--results", type=Path, default=Path("results/interleaved"), help="folder for these")
    fail_help = "end with status 1 if the 95 %% interval of any cell says that B is slower"
    parser.add_argument("--fail-on", choices=[analysis.SLOWER], help=fail_help)
    chosen = parser.parse_args(arguments)
    a, b, in_turns = Path(chosen.A), Path(chosen.B), chosen.interleaved is not None
    if in_turns:
        words = chosen.A, chosen.B, str(chosen.rounds), str(chosen.results), *chosen.interleaved
        command = [sys.executable, "-m", "experiments.sweep.interleaved", *words]
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        # Not `run`, which kills it on Ctrl-C before it has removed its checkouts.
        if status := subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths}).wait():
            raise SystemExit(status)
        a, b = chosen.results / "a", chosen.results / "b"
    try:
        table = comparison(a, b, in_turns)
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
