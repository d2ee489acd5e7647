"""The command of `make figures` and `make report`: rebuild what people look at from the parquet files.

python -m experiments.report [--results results] [--experiment strong_scaling ... | --page]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import COMMAND
from experiments.analysis.select import NoTrialsError
from experiments.report.page import write_page
from experiments.report.results import Results
from experiments.report.sections import FOLDER, reportable, write_report


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuild tables and figures; print the files written and the main tables.

    The exit status is 1 if there are no results or a file is damaged.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.report", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--experiment", nargs="+", metavar="NAME", help="only these experiments")
    what.add_argument("--page", action="store_true", help="write one page of all results instead")
    options = parser.parse_args(arguments)
    names, is_sound, errors = options.experiment or reportable(options.results), True, list[str]()
    if not names:
        raise SystemExit(
            f"{options.results}/trials: no results yet; `{COMMAND} experiment=strong_scaling` measures some"
        )
    for name in (FOLDER,) if options.page else (*names, FOLDER):
        try:
            if options.page:
                print(write_page(options.results))
            else:
                is_sound &= write_report(Results(options.results, name))
        except (NoTrialsError, OSError) as error:
            errors.append(str(error))
            if options.experiment:
                break
    sys.exit("\n".join(errors) or int(not is_sound))


if __name__ == "__main__":
    main()
