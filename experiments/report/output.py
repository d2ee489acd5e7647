"""The files of a report: tables and figures of one experiment."""

import sys
from pathlib import Path

from experiments import COMMAND
from experiments.analysis.select import NoTrialsError
from experiments.report.results import Results
from experiments.report.sections import SHOW_ERRORS, sections_of
from experiments.report.tables import Table

MAIN_TABLES = ("table", "verdicts", "recommendation")  # are printed
SUFFIXES = (".md", ".csv", ".png", ".svg")  # of the files of reports


def write_report(results: Results, names_files: bool = True) -> bool:
    """Write every section of an experiment, and print the main tables and the files written.

    A section that cannot be shown is a line on stderr; the others are written. Return whether all files
    read were sound. Raises NoTrialsError if nothing was measured.
    """
    if results.trials.empty:
        command = f"{COMMAND} -m experiment={results.experiment}"
        raise NoTrialsError(f"{results.trials_folder}: no trials yet; `{command}` measures some")
    tables, figures = (results.folder / kind / results.experiment for kind in ("tables", "figures"))
    written: list[Path] = []
    main_tables: list[str] = []
    is_sound = True
    for section in sections_of(results.experiment):
        try:
            for stem, content in section.show(results):
                paths = content.save((tables if isinstance(content, Table) else figures) / stem)
                if names_files:
                    print(*paths, sep="\n")
                written += paths
                if isinstance(content, Table) and stem in MAIN_TABLES:
                    main_tables.append(content.text())
        except SHOW_ERRORS as error:
            print(f"{results.experiment}: no {section.name}: {error}", file=sys.stderr)
            is_sound &= isinstance(error, NoTrialsError)
    for path in {*tables.glob("*"), *figures.glob("*")} - {*written}:  # of an earlier report
        if path.suffix in SUFFIXES:
            path.unlink()
    print("", *reversed(main_tables), sep="\n")  # what matters most stands last, where a terminal ends
    return is_sound
