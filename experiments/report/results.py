"""The results of one experiment, as sections read them."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from experiments.analysis.select import ABLATED, select
from experiments.report.texts import left_out_note
from experiments.store import files as store


class Results:
    """The stored results of one experiment below a folder, each table read once."""

    def __init__(self, folder: Path, experiment: str) -> None:
        self.folder, self.experiment = folder, experiment
        self._beside = {experiment: self}
        self.trials_folder = folder / "trials" / experiment
        self.title = {"aa": "A/A"}.get(experiment, experiment.replace("_", " ").capitalize())

    def beside(self, experiment: str) -> "Results":
        """Return the results of another experiment below the same folder."""
        other = self._beside.setdefault(experiment, Results(self.folder, experiment))
        other._beside = self._beside
        return other

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Return a row per trial."""
        return store.read(self.trials_folder, "trials")

    @cached_property
    def parts(self) -> store.DetailReader:
        """Return the reader of tasks, transforms and turns."""
        return store.DetailReader(self.folder, self.experiment)

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """Return a row per candidate of each search."""
        return store.read(self.folder / "candidates" / self.experiment, "candidates")

    @cached_property
    def ablated(self) -> tuple[pd.DataFrame, list[str]]:
        """Return the trials of one workload, with every ablation of it, and notes on those left out."""
        return self.selected(ABLATED)

    def selected(self, axes: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
        """Return the trials that `select` keeps, and notes on those left out."""
        trials, left_out = select(self.trials, axes)
        return trials, [left_out_note(each) for each in left_out]
