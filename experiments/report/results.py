"""The results of one experiment, as reports read them."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pandas as pd

from augment.strategies.instruments.interference import Interference
from experiments.analysis.ablation import comparable, newest_pipeline
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import STRONG
from experiments.analysis.select import ok_trials, select
from experiments.store import files as store
from experiments.store.columns import FAILED


class Results:
    """What was measured in one experiment, below a folder of results."""

    def __init__(self, folder: Path, experiment: str) -> None:
        self.folder, self.experiment = folder, experiment
        self._beside = {experiment: self}
        self.trials_folder = folder / "trials" / experiment
        self.title = experiment.replace("_", " ").capitalize()

    def beside(self, experiment: str) -> "Results":
        """What was measured in another experiment below the same folder; each is read once for all of
        them."""
        if experiment not in self._beside:
            self._beside[experiment] = other = Results(self.folder, experiment)
            other._beside = self._beside
        return self._beside[experiment]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""
        return store.read(self.trials_folder, "trials")

    @cached_property
    def parts(self) -> store.DetailReader:
        """The tasks, transforms and turns of each trial."""
        return store.DetailReader(self.folder, self.experiment)

    @cached_property
    def candidates(self) -> pd.DataFrame:
        """What a search for the best was to choose from."""
        return store.read(self.folder / "candidates" / self.experiment, "candidates")

    @cached_property
    def missing(self) -> pd.DataFrame:
        """The cells of the newest sweep's plan that have fewer ok trials than they were to have (`trials`),
        with how many they have (`ok`); without those that it has seen fail, of which there are rows."""
        plans = store.read(self.folder / "plans" / self.experiment, "plans").sort_values("started_at")
        newest = plans[plans["sweep"] == plans["sweep"].iloc[-1]] if len(plans) else plans
        counts = ok_trials(self.trials)["cell"].value_counts()
        counted = newest.assign(ok=newest["cell"].map(counts).fillna(0).astype(int))
        failed = self.trials[(self.trials["status"] == FAILED) & self.trials["sweep"].isin(newest["sweep"])]
        return counted[(counted["ok"] < counted["trials"]) & ~counted["cell"].isin(failed["cell"])]

    @cached_property
    def comparable(self) -> tuple[pd.DataFrame, list[str]]:
        """The trials of every pipeline and ablation that may stand in one table, and lines on what was left
        out. Raises NoTrialsError."""
        return comparable(self.trials)

    @cached_property
    def one_workload(self) -> tuple[pd.DataFrame, list[str]]:
        """The trials of the newest pipeline that may stand in one table, those of ablations among them; and
        lines on what was left out. Raises NoTrialsError."""
        return newest_pipeline(*self.comparable)

    def selected(self, axes: Sequence[str] = STRONG) -> tuple[pd.DataFrame, list[str]]:
        """The trials that may stand in one table (see `select`), those of copies with the time of their rate
        and without interference, which has none; and lines on what was left out."""
        trials, notes = select(self.trials, axes)
        return with_ceilings(trials[trials["strategy"] != Interference.name], self.parts), notes


def cpus_of(trials: pd.DataFrame) -> int:
    """The CPUs of trials that may stand in one table, which have as many."""
    return int(trials["usable_cpus"].iloc[0])
