"""The page of all results: what `make report` runs.

python -m experiments.report.html [--results results] [--sides A B]
"""

import argparse
import gc
from collections.abc import Sequence
from pathlib import Path

from experiments.analysis.compare import NothingToCompareError
from experiments.analysis.scaling import NoTrialsError
from experiments.report.compare import comparison
from experiments.report.html.page import page


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes report/index.html below the results, and prints where."""
    parser = argparse.ArgumentParser(prog="python -m experiments.report.html", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument(
        "--sides", type=_folder, nargs=2, metavar=("A", "B"), help="two folders, side by side"
    )
    options = parser.parse_args(arguments)
    try:
        beside = comparison(*options.sides) if options.sides else ""
        text = page(options.sides or [options.results], beside)
    except NothingToCompareError as error:
        beside, text = "", page(options.sides, f"No cell is in both: {error}")
    except (NoTrialsError, OSError) as error:
        raise SystemExit(str(error)) from error
    path = options.results / "report" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    print(path)


def _folder(word: str) -> Path:
    if not Path(word, "trials").is_dir():
        raise argparse.ArgumentTypeError(f"{word or 'A or B'}: no folder of results; give A=… and B=…")
    return Path(word)


if __name__ == "__main__":
    gc.disable()  # most of what is made here is kept: looking for garbage takes a tenth of the time
    main()
