"""What the experiments show: a file per section, which registers itself with `section`.

A section is a function of the results of one experiment that yields tables and charts by the name of
their file, and may raise NoTrialsError where these results have nothing to show."""

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from pandas import DataFrame

from experiments.report.charts import Chart
from experiments.report.results import Results
from experiments.report.tables import Table

Content = Sequence[Table] | Chart | DataFrame  # a frame: data alone, as parquet
Outputs = Iterator[tuple[str, Content]]
Show = Callable[[Results], Outputs]
ANY, OTHERS = "any", "others"  # instead of experiments: each of them; those that no section names


class Section(NamedTuple):
    """A function that shows something of some experiments, and its place in the report.

    The page shows it under the heading `chapter`, below the `words` of the chapter's first section, in the
    `order` of all sections. A terminal shows its table `prints` too. A section with a `source` is about that
    file or folder, relative to the results, and not about trials."""

    name: str
    show: Show
    experiments: tuple[str, ...]
    chapter: str
    words: str
    order: int
    prints: str
    source: Path | None


_SECTIONS: list[Section] = []


def section(
    *experiments: str,
    chapter: str = "Whatever else was measured",
    words: str = "",
    order: int = 1000,
    prints: str = "table",
    source: Path | None = None,
) -> Callable[[Show], Show]:
    """Register a function as a section of these experiments, or of ANY or OTHERS."""

    def register(show: Show) -> Show:
        name = show.__name__.replace("_", " ")
        _SECTIONS.append(Section(name, show, experiments, chapter, words, order, prints, source))
        return show

    return register


def sections() -> list[Section]:
    """Return every section of the files in this folder, in their order."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    return sorted(_SECTIONS, key=lambda section: section.order)


def sections_of(experiment: str) -> list[Section]:
    """Return the sections that show an experiment."""
    named = [section for section in sections() if experiment in section.experiments]
    if any(section.source for section in named):
        return named
    general = {ANY} if named else {ANY, OTHERS}
    return [section for section in sections() if section in named or general & {*section.experiments}]


def reportable(results: Path) -> list[str]:
    """Return the experiments below a folder of results that there is something to report of."""
    measured = sorted(path.name for path in results.glob("trials/*") if path.is_dir())
    sourced = [each for each in sections() if each.source and (results / each.source).exists()]
    return [*(name for each in sourced for name in each.experiments), *measured]
