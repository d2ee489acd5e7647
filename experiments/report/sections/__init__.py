"""What the experiments show: a file per section, which registers itself with `section`.

A section is a function of the results of one experiment that yields tables and figures by the name of
their file, and may raise NoTrialsError where these results have nothing to show."""

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from augment.strategies.instruments.interference import Interference
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import STRONG
from experiments.analysis.select import select
from experiments.records import store
from experiments.report.tables import Table

Outputs = Iterator[tuple[str, Sequence[Table] | Figure]]
ANY, OTHERS = "any", "others"  # instead of experiments: each of them; those that no section names


class Results:
    """What was measured in one experiment, below a folder of results."""

    def __init__(self, folder: Path, experiment: str) -> None:
        self.folder, self.experiment = folder, experiment
        self.trials_folder = folder / "trials" / experiment
        self.title = experiment.replace("_", " ").capitalize()

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""
        return store.read(self.trials_folder, "trials")

    @cached_property
    def parts(self) -> store.Parts:
        """The tasks, transforms and turns of each trial."""
        return store.Parts(self.folder, self.experiment)

    def selected(self, axes: Sequence[str] = STRONG) -> tuple[pd.DataFrame, list[str]]:
        """The trials that may stand in one table (see `select`), those of copies with the time of their rate
        and without interference, which has none; and lines on what was left out."""
        trials, notes = select(self.trials, axes)
        return with_ceilings(trials[trials["strategy"] != Interference.name], self.parts), notes


def cpus_of(trials: pd.DataFrame) -> int:
    """The CPUs of trials that may stand in one table, which have as many."""
    return int(trials["usable_cpus"].iloc[0])


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
