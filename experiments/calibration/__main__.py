"""`make calibrate`: causes of lost time are planted, and the verdict has to find them; what is planted where
is in `tries`, how in `dosing`. Exit status 1: not all that is asked holds.

A try takes half a minute. Its row is kept at once: the same command again goes on where it was stopped."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from tqdm import tqdm

from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from experiments.analysis.verdict import COLUMNS, verdicts
from experiments.calibration.cases import CAUSES, CLEAR, Try, lacking, planned
from experiments.calibration.confusion import asked, judged, table
from experiments.calibration.cpu_shortage import surroundings
from experiments.calibration.dosing import WORKERS, TryFailedError, cells
from experiments.measure.sweep import measure_all
from experiments.records import store
from experiments.records.schema import OK
from experiments.report.output import FORMATS

VERDICT = [name for name in COLUMNS if name not in ("strategy", "workers", "saving")]
THERE = 1 / 2  # of the memory contention that was planted, at least; or it was not planted


def verdict_on(each: Try, rounds: int, folder: Path) -> dict[str, Any]:
    """Plants, measures and judges: a row of tries.csv. The folder, where results and outputs lie meanwhile,
    has to be on a disk. Raises TryFailedError."""
    with TemporaryDirectory(dir=folder) as name, surroundings(each.cause, each.level, WORKERS), _quiet():
        place = Path(name)
        wanted = cells(each.levels, each.saving, place, rounds)
        failures = [line for result in measure_all(wanted, in_sweep=True) for line in result.failures]
        if failures:
            raise TryFailedError(f"{each.cause}, {each.level}: {failures[0]}")
        trials, parts = store.read(place / "trials", "trials"), store.Parts(place, wanted[0].experiment)
        if each.cause == "memory" and (share := _contention(trials, parts)) < THERE * each.level:
            raise TryFailedError(f"memory, {each.level}: contention took {share:.0%} only; try again")
        [judged_cell] = verdicts(trials, parts)[VERDICT].to_dict("records")
    return each._asdict() | {str(column): value for column, value in judged_cell.items()}


def _contention(trials: pd.DataFrame, parts: store.Parts) -> float:
    """The share of the transforms' seconds that workers lose to each other, in all trials that have several.
    It shows whether what was planted was there: CPUs that a host moves about share memory's path at some
    times and not at others."""
    complete = trials[trials["status"] == OK]
    alone, beside = (complete[complete["strategy"].isin(names)] for names in ([Sequential.name], [P2.name]))
    alone_s, beside_s = (
        pd.concat(parts.of("tasks", each) for each in block["trial_id"])["transform_s"].mean()
        for block in (alone, beside)
    )
    return float(1 - alone_s / beside_s)


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        yield


def known(path: Path) -> pd.DataFrame:
    """The tries that a file holds."""
    if not path.exists():
        return pd.DataFrame(columns=[*Try._fields, *VERDICT])
    named = ("suspected", "proved")
    return pd.read_csv(path, dtype=dict.fromkeys(named, str)).fillna(dict.fromkeys(named, ""))


def carry_out(tries: Sequence[Try], rounds: int, path: Path) -> None:
    """Adds the row of each try to the file. A try that fails, and a decoy that cannot be had here, is named
    and left out."""
    for each in tqdm(tries, unit="try"):
        try:
            row = verdict_on(each, rounds, path.parent)
        except (TryFailedError, OSError) as error:
            tqdm.write(f"left out: {error}", file=sys.stderr)
        else:
            pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)


def possible(causes: Sequence[str]) -> list[str]:
    """Those that can be had on this machine; the others are printed with the reason."""
    found = []
    for cause in causes:
        try:
            with surroundings(cause, CLEAR, WORKERS):
                found.append(cause)
        except OSError as error:
            print(f"{cause}: left out: {error}", file=sys.stderr)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Carries out the tries that are lacking, then writes and prints the table of all."""
    parser = argparse.ArgumentParser(prog="python -m experiments.calibration", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument("--times", type=int, default=5, help="tries of each cause at 20 %% and more")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of a try")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CAUSES, help="only these causes")
    options = parser.parse_args(arguments)
    folder: Path = options.results.resolve() / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tries.csv"
    done = [Try(*each) for each in known(path)[[*Try._fields]].itertuples(index=False)]
    wanted = planned(options.times, possible(options.only or CAUSES))
    carry_out(lacking(wanted, done), options.rounds, path)
    tries = known(path)
    for kind, render in FORMATS.items():
        (folder / f"table.{kind}").write_text(render([table(tries)]), encoding="utf-8")
    print(table(tries).text())
    return int(not all(asked(judged(tries)).values()))


if __name__ == "__main__":
    sys.exit(main())
