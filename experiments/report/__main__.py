"""The command of `make figures`: rebuild every table and figure from the parquet files.

python -m experiments.report [--results results] [--experiment strong_scaling ...]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.select import NoTrialsError
from experiments.report.output import write_report
from experiments.report.results import Results
from experiments.report.sections import reportable


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuild tables and figures; print the files written and the main tables.

    The exit status is 1 if there are no results or a file is damaged.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument("--experiment", nargs="+", metavar="NAME", help="only these experiments")
    options = parser.parse_args(arguments)
    trials, is_sound = options.results / "trials", True
    if not options.experiment and not any(trials.glob("*/")):
        raise SystemExit(f"{trials}: no results yet; `make strong-scaling` measures some")
    for name in options.experiment or reportable(options.results):
        try:
            is_sound &= write_report(Results(options.results, name))
        except (NoTrialsError, OSError) as error:
            raise SystemExit(str(error)) from error
    sys.exit(0 if is_sound else 1)


if __name__ == "__main__":
    main()
