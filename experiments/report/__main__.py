"""Every table and figure again, from the parquet files alone: what `make figures` runs.

python -m experiments.report [--results results] [--experiment strong_scaling ...]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.scaling import NoTrialsError
from experiments.report.output import write_report
from experiments.report.results import Results
from experiments.report.sections import reportable


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuilds tables and figures; prints the paths written, the main tables and the diagnosis.

    The exit status is 1 if there are no results, or damaged ones."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument("--experiment", nargs="+", metavar="NAME", help="only these experiments")
    options = parser.parse_args(arguments)
    trials, sound = options.results / "trials", True
    if not options.experiment and not any(trials.glob("*/")):
        raise SystemExit(f"{trials}: no results yet; `make strong-scaling` makes some")
    for name in options.experiment or reportable(options.results):
        try:
            sound &= write_report(Results(options.results, name))
        except (NoTrialsError, OSError) as error:
            raise SystemExit(str(error)) from error
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
