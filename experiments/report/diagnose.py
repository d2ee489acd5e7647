"""What stops it: the account of every worker-second, the ceilings and the verdicts in words.

python -m experiments.report.diagnose [--results results] [--experiment strong_scaling]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.account import AccountError
from experiments.analysis.scaling import NoTrialsError
from experiments.records.store import read_probes, read_tasks, read_trials
from experiments.report.__main__ import write
from experiments.report.diagnosis import Diagnosis, diagnose
from experiments.report.render import text
from experiments.report.reports import Report


def write_traces(made: Diagnosis, folder: Path) -> list[Path]:
    """One file per point, for ui.perfetto.dev."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, trace in made.traces():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(trace, separators=(",", ":")), encoding="utf-8")
        written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """Says what limits each strategy at each worker count; writes tables, charts and traces.

    Ends with one line on stderr if there are no results.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.report.diagnose", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument("--experiment", default="strong_scaling", metavar="NAME", help="which experiment")
    chosen = parser.parse_args(arguments)
    name, results = chosen.experiment, chosen.results
    try:
        trials, tasks = read_trials(results / "trials" / name), read_tasks(results / "tasks" / name)
        probes = read_probes(results / "probes" / name)
        made = diagnose(trials, tasks, probes, name.replace("_", " ").capitalize())
    except NoTrialsError:
        missing = f"{results / 'trials' / name}: no trials"
        raise SystemExit(f"{missing}; `python run.py -m experiment={name}` makes them") from None
    except (AccountError, OSError) as error:
        raise SystemExit(f"{name}: {error}") from error
    print(*write(Report(made.tables, made.figures), results, name), sep="\n")
    print(*write_traces(made, results / "traces" / name), sep="\n")
    print("", *(text(table) for table in made.tables.get("diagnosis", [])), made.text, sep="\n")


if __name__ == "__main__":
    main()
