"""The sections of a report: functions of the results of one experiment, registered by `section`.

A section yields tables and charts, each with the stem of its file. It raises NoTrialsError if the
results have nothing to show.
"""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from experiments.analysis.breakdown import BreakdownError
from experiments.analysis.select import NoTrialsError
from experiments.report.charts import Chart
from experiments.report.results import Results
from experiments.report.tables import Table

Outputs = Iterator[tuple[str, Table | Chart]]
Show = Callable[[Results], Outputs]
SHOW_ERRORS = (NoTrialsError, BreakdownError, OSError)  # errors of one section that leave the others whole
FOLDER = ""  # in place of an experiment: all of a folder together
OTHERS = "others"  # in place of experiments: those that no section names


class Section(NamedTuple):
    """A function that shows results of some experiments, and its place in the report.

    The page has the section under the heading `chapter`, which `words` introduce, in the `order` of all.
    """

    name: str
    show: Show
    experiments: tuple[str, ...]
    chapter: str
    words: str
    order: int


_SECTIONS: list[Section] = []


def section(
    *experiments: str, chapter: str = "Other results", words: str = "", order: int = 85
) -> Callable[[Show], Show]:
    """Register a function as a section of these experiments, or of FOLDER or OTHERS."""

    def register(show: Show) -> Show:
        _SECTIONS.append(Section(show.__name__, show, experiments, chapter, words, order))
        return show

    return register


def sections() -> list[Section]:
    """Return all sections of the modules in this package, in their order."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return sorted(_SECTIONS, key=lambda section: section.order)


def sections_of(experiment: str) -> list[Section]:
    """Return the sections that show an experiment."""
    named = [section for section in sections() if experiment in section.experiments]
    return named or [section for section in sections() if OTHERS in section.experiments]


def reportable(results: Path) -> list[str]:
    """Return the experiments that a folder of results can report."""
    return sorted(path.name for path in results.glob("trials/*") if path.is_dir())


def sections_below(results: Results) -> list[tuple[Section, Results]]:
    """Return the sections of a folder and of its experiments, each with its results, in their order."""
    experiments = [results.beside(name) for name in (FOLDER, *reportable(results.folder))]
    pairs = [(section, one) for one in experiments for section in sections_of(one.experiment)]
    return sorted(pairs, key=lambda pair: pair[0].order)
