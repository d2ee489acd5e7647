"""What the experiments show: a file per section, which registers itself with `section`.

A section is a function of the results of one experiment that yields tables and charts by the name of
their file, and may raise NoTrialsError where these results have nothing to show."""

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from pandas import DataFrame

from experiments.report.results import Results
from experiments.report.style import Chart
from experiments.report.tables import Table

Content = Sequence[Table] | Chart | DataFrame  # a frame: data alone, as parquet
Outputs = Iterator[tuple[str, Content]]
ANY, OTHERS = "any", "others"  # instead of experiments: each of them; those that no section names


Show = Callable[[Results], Outputs]


class Section(NamedTuple):
    """What one function shows of the experiments it is for. `source`: of no trials, but of this file or
    folder, relative to the results."""

    name: str
    show: Show
    experiments: tuple[str, ...]
    source: Path | None


_SECTIONS: list[Section] = []


def section(*experiments: str, source: Path | None = None) -> Callable[[Show], Show]:
    """Registers a function as a section of these experiments, or of ANY or OTHERS."""

    def register(show: Show) -> Show:
        _SECTIONS.append(Section(show.__name__.replace("_", " "), show, experiments, source))
        return show

    return register


def sections() -> list[Section]:
    """Every section of the files in this folder."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return _SECTIONS


def sections_of(experiment: str) -> list[Section]:
    """The sections that show an experiment."""
    named = [each for each in sections() if experiment in each.experiments]
    if any(each.source for each in named):
        return named
    general = {ANY} if named else {ANY, OTHERS}
    return named + [each for each in sections() if general & {*each.experiments}]


def reportable(results: Path) -> list[str]:
    """The experiments below a folder of results that there is something to report of."""
    measured = sorted(path.name for path in results.glob("trials/*") if path.is_dir())
    sourced = [each for each in sections() if each.source and (results / each.source).exists()]
    return [*(name for each in sourced for name in each.experiments), *measured]
