"""Every table and figure again, from the parquet files alone: what `make figures` runs.

python -m experiments.report.__main__ [--results results] [--experiment strong_scaling ...]
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.analysis import published
from experiments.analysis.scaling import NoTrialsError
from experiments.records.store import read_trials
from experiments.report import style as figures
from experiments.report.render import FORMATS, text
from experiments.report.reports import REPORTS, Report, cells_report, published_report


def write(report: Report, results: Path, name: str) -> Iterator[Path]:
    """Writes the report of experiment `name` and yields each path as it is complete."""
    folder = results / "tables" / name
    folder.mkdir(parents=True, exist_ok=True)
    for stem, blocks in report.tables.items():
        for kind, render in FORMATS.items():
            path = folder / f"{stem}.{kind}"
            path.write_text(render(blocks), encoding="utf-8")
            yield path
    for stem, figure in report.figures.items():
        kinds = ("png",) if stem == "contact_sheet" else ("png", "svg")
        yield from figures.save(figure, results / "figures" / name / stem, kinds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Rebuilds tables and figures; prints the paths written and the scaling tables.

    Ends with one line on stderr if there are no results.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.report.__main__", description=main.__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    parser.add_argument("--experiment", nargs="+", metavar="NAME", help="only these experiments")
    chosen = parser.parse_args(arguments)
    trials = chosen.results / "trials"
    names = chosen.experiment or sorted(path.name for path in trials.glob("*") if path.is_dir())
    if not names:
        raise SystemExit(f"{trials}: no results yet; `make strong-scaling` makes some")
    print(*write(published_report(), chosen.results, "published"), sep="\n")
    for name in names:
        report = _report(name, trials / name, chosen.results)
        print(*write(report, chosen.results, name), sep="\n")
        if name in published.POINTS:
            print("", *map(text, report.tables["table"]), sep="\n")


def _report(name: str, folder: Path, results: Path) -> Report:
    missing = f"{folder}: no trials; `python run.py -m experiment={name}` makes them"
    if not any(folder.rglob("*.parquet")):
        raise SystemExit(missing)
    try:
        trials = read_trials(folder)
    except OSError as error:
        raise SystemExit(f"{folder}: cannot be read: {error}") from error
    if trials.empty:
        raise SystemExit(missing)
    try:
        return REPORTS.get(name, cells_report)(trials, results)
    except NoTrialsError as error:
        raise SystemExit(f"{folder}: {error}") from error


if __name__ == "__main__":
    main()
