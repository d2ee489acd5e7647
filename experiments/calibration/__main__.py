"""`make calibrate`: plant causes of lost time and count how often the verdict names them.

A case takes half a minute. Its row is stored at once; run the same command again to resume. The exit status
is 1 if a requirement on the verdict does not hold.
"""

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
from experiments.calibration.cases import CAUSES, Case, missing_cases, plan_cases
from experiments.calibration.confusion import confusion_table, judge, requirements
from experiments.calibration.cpu_shortage import cpu_shortage
from experiments.calibration.dosing import WORKERS, CaseFailedError, dosed_cells
from experiments.store import files as store
from experiments.store.columns import OK
from experiments.sweep.sweep import Sweep

VERDICT = [name for name in COLUMNS if name not in ("strategy", "workers", "saving")]
MIN_CONTENTION = 1 / 2  # of the planted contention for memory; with less the planting has failed


def measure_case(case: Case, rounds: int, folder: Path) -> dict[str, Any]:
    """Plant and measure a case, and return its row with the verdict.

    The folder holds results and outputs meanwhile, and has to be on a disk. Raises CaseFailedError.
    """
    with TemporaryDirectory(dir=folder) as name, cpu_shortage(case.cause, case.level, WORKERS), _quiet():
        results_dir = Path(name)
        cells = dosed_cells(case.levels, case.saving, results_dir, rounds, case.pipeline)
        failures = [line for result in Sweep(cells, in_sweep=True).measure() for line in result.failures]
        if failures:
            raise CaseFailedError(f"{case.cause}, {case.level}: {failures[0]}")
        trials = store.read(results_dir / "trials", "trials")
        parts = store.DetailReader(results_dir, cells[0].experiment)
        if case.cause == "memory" and (share := _contention(trials, parts)) < MIN_CONTENTION * case.level:
            raise CaseFailedError(f"memory, {case.level}: contention took {share:.0%} only; run it again")
        judged = verdicts(trials, parts)
        [verdict] = judged.loc[judged["strategy"] == cells[0].strategy, VERDICT].to_dict("records")
    return case._asdict() | {str(column): value for column, value in verdict.items()}


def _contention(trials: pd.DataFrame, parts: store.DetailReader) -> float:
    """Return the share of the transforms' seconds that the workers of P_2 lose to each other.

    A host that moves virtual CPUs about lets them share the path to memory at some times only, so that
    planted contention may not occur.
    """
    complete = trials[trials["status"] == OK]
    alone_s, beside_s = (
        pd.concat(
            parts.of("tasks", trial_id) for trial_id in complete.loc[complete["strategy"] == name, "trial_id"]
        )["transform_s"].mean()
        for name in (Sequential.name, P2.name)
    )
    return float(1 - alone_s / beside_s)


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        yield


def read_cases(path: Path) -> pd.DataFrame:
    """Return the measured cases that a file holds; none if there is no file."""
    if not path.exists():
        return pd.DataFrame(columns=[*Case._fields, *VERDICT])
    texts = ("suspected", "proved")
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str)).fillna(dict.fromkeys(texts, ""))


def measure_cases(cases: Sequence[Case], rounds: int, path: Path) -> None:
    """Append a row for each case to the file; name each case that fails, and go on without it."""
    for case in tqdm(cases, unit="case"):
        try:
            row = measure_case(case, rounds, path.parent)
        except (CaseFailedError, OSError) as error:
            tqdm.write(f"left out: {error}", file=sys.stderr)
        else:
            pd.DataFrame([row]).to_csv(path, mode="a", header=not path.exists(), index=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cases that are missing, write and print the table of all, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m experiments.calibration", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument("--times", type=int, default=5, help="cases of each cause at 20 %% and more")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of a case")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CAUSES, help="only these causes")
    options = parser.parse_args(arguments)
    folder: Path = options.results.resolve() / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cases.csv"
    done = [Case(*row) for row in read_cases(path)[[*Case._fields]].itertuples(index=False)]
    wanted = plan_cases(options.times, options.only or CAUSES)
    measure_cases(missing_cases(wanted, done), options.rounds, path)
    cases = read_cases(path)
    table = confusion_table(cases)
    table.save(folder / "table")
    print(table.text())
    return int(not all(requirements(judge(cases)).values()))


if __name__ == "__main__":
    sys.exit(main())
