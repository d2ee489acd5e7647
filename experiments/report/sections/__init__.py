"""The sections of a report: functions of the results of one experiment, registered by `section`.

A section yields tables and charts, each with the stem of its file. It raises NoTrialsError if the
results have nothing to show.
"""

import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from experiments import COMMAND
from experiments.analysis.breakdown import BreakdownError
from experiments.analysis.select import NoTrialsError
from experiments.report.charts import Chart
from experiments.report.results import Results
from experiments.report.tables import Table

Outputs = Iterator[tuple[str, Table | Chart]]
Show = Callable[[Results], Outputs]
SHOW_ERRORS = (NoTrialsError, BreakdownError, OSError)  # errors of one section that leave the others whole
FOLDER = ""  # in place of an experiment: all of a folder together
MAIN_TABLES = ("table", "verdicts", "recommendation")  # are printed
SUFFIXES = (".md", ".csv", ".png", ".svg")  # of the files of reports


class Section(NamedTuple):
    """A function that shows results of some experiments, and its place on the page: a chapter, in an order.

    Without `experiments` it shows those that no other section names.
    """

    name: str
    show: Show
    experiments: tuple[str, ...]
    chapter: str
    order: int


_SECTIONS: list[Section] = []


def section(*experiments: str, chapter: str = "Other results", order: int = 85) -> Callable[[Show], Show]:
    """Register a function as a section of these experiments, of FOLDER, or of those that no section names."""

    def register(show: Show) -> Show:
        _SECTIONS.append(Section(show.__name__, show, experiments, chapter, order))
        return show

    return register


def sections() -> list[Section]:
    """Return all sections of the modules in this package, in their order."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return sorted(_SECTIONS, key=lambda section: section.order)


def sections_of(experiment: str) -> list[Section]:
    """Return the sections that show an experiment."""
    every = sections()
    named = [section for section in every if experiment in section.experiments]
    return named or [section for section in every if not section.experiments]


def reportable(results: Path) -> list[str]:
    """Return the experiments that a folder of results can report."""
    return sorted(path.name for path in results.glob("trials/*") if path.is_dir())


def write_report(results: Results, names_files: bool = True) -> bool:
    """Write every section of an experiment, and print the main tables and the files written.

    A section that cannot be shown is a line on stderr; the others are written. Return whether all files
    read were sound. Raises NoTrialsError if nothing was measured.
    """
    if results.trials.empty:
        raise NoTrialsError(f"{results.trials_folder}: no trials; `{COMMAND} --help` says how to measure")
    tables, figures = (results.folder / kind / results.experiment for kind in ("tables", "figures"))
    written, main_tables, is_sound = list[Path](), list[str](), True
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
