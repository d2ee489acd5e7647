"""The candidates of a search, compared by the seconds that each would take for the whole of what was asked.

A trial measures a sample. The other tasks of the whole are added at the rate of busy workers. So their start
and their end count once, however small the sample:

    whole_s = wall_s + (tasks of the whole / tasks - 1) x busy_s / share of the work done in busy_s
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import Any, NamedTuple

import pandas as pd

from experiments.analysis.occasions import UNSEEN
from experiments.analysis.select import LeftOut, ok_trials, place, require, select
from experiments.analysis.statistics import LEVEL, BlockModel, Interval, best_set
from experiments.store.files import DetailReader

AXES = ("strategy", "workers", "runtime")
TIE = 0.01  # a difference of two bounds that tells nothing


class Candidate(NamedTuple):
    """The candidates that may be recommended, and the references beside them."""

    strategy: str
    workers: int
    runtime_name: str


@dataclass(frozen=True)
class Comparison:
    """The trials of a search on its sample, and the model of the seconds that they take for the whole."""

    trials: pd.DataFrame
    tasks: float  # of the sample
    model: BlockModel
    bounds: Mapping[Candidate, float]  # at most so much slower than the best (95 %; 0.1 is 10 %)
    suitable: Set[Candidate]  # those that surely are as fast as is wanted, within the memory
    is_fewest: bool  # whether a rate is wanted, which the fewest workers are to reach
    left_out: Sequence[LeftOut]

    def of(self, candidate: Candidate) -> pd.DataFrame:
        """Return the ok trials of a candidate."""
        return ok_trials(self.trials[is_of(self.trials, candidate)])

    @property
    def best(self) -> Candidate:
        """Return the recommended candidate: the suitable one with the smallest upper bound on its slowdown.

        Within TIE of it, or if a rate is wanted, the fewest workers decide, then the order of STRATEGIES.
        Without a suitable one, all count.
        """
        bounds = {each: self.bounds[each] for each in self.bounds if each in self.suitable} or self.bounds
        limit = math.inf if self.is_fewest and self.suitable else min(bounds.values()) + TIE
        return min((each for each, bound in bounds.items() if bound <= limit), key=_order)

    @property
    def ranked(self) -> list[Candidate]:
        """Return the candidates by their seconds."""
        return sorted(self.model.cells, key=lambda each: (self.model.seconds(each), _order(each)))

    def rivals(self, slower: float) -> list[Candidate]:
        """Return candidates that may beat the best by more than a share `slower`, the fastest first."""
        best, model = self.best, self.model
        others = [each for each in self.bounds if each != best]
        level = 1 - 2 * (1 - LEVEL) / max(len(others), 1)  # one-sided, as in `best_set`
        highs = {each: model.log_ratio(best, each).exp(level).high for each in others}
        beyond = [each for each in others if not highs[each] <= 1 + slower]
        return sorted(beyond, key=lambda each: (-highs[each], _order(each)))


def _order(each: Candidate) -> tuple[int, tuple[int, str], Candidate]:
    """Return the order of candidates that are equally good: fewer workers first, then that of STRATEGIES."""
    return each.workers, place(each.strategy), each


def is_of(rows: pd.DataFrame, candidate: Candidate) -> "pd.Series[bool]":
    """Return which rows are of a candidate."""
    return (rows[[*Candidate._fields]] == list(candidate)).all(axis=1)


def names(rows: pd.DataFrame) -> list[Candidate]:
    """Return the candidate of each row."""
    return [Candidate(*each) for each in rows[[*Candidate._fields]].itertuples(index=False)]


def newest_search(trials: pd.DataFrame, asked: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the trials of the newest search that measured anything, and its rows of `columns.Candidate`."""
    begin = asked.loc[asked["started_at"] <= trials["started_at"].max(), "started_at"].max()
    return trials[trials["started_at"] >= begin], asked[asked["started_at"] == begin]


def compare(trials: pd.DataFrame, parts: DetailReader, asked: pd.DataFrame) -> Comparison:
    """Return the comparison of the candidates of the newest search. Raises NoTrialsError.

    It is on the sample on which most of them were measured, neither the pilot's nor the long run's.
    """
    trials, asked = newest_search(trials, asked)
    wanted = trials.merge(asked[[*Candidate._fields]])
    require(wanted)
    counts = wanted.drop_duplicates(["tasks", *Candidate._fields])["tasks"].value_counts()
    sample = counts.index[counts == counts.max()].max()
    kept, left_out = select(wanted[wanted["tasks"].isna() | (wanted["tasks"] == sample)], AXES)
    ok = ok_trials(kept)
    model = fitted(with_whole_seconds(ok, parts, float(asked["tasks"].max())))
    most = max(model.rounds, key=lambda each: model.rounds[each], default=None)
    # The difference of a candidate from the one with most rounds has an error, or it has no bound.
    sure = [each for each in model.cells if not isnan(model.log_ratio(each, most).error)]
    bounds = best_set(model, sure)
    asked_for: Any = asked.iloc[-1]
    peaks = ok.groupby([*Candidate._fields])["peak_rss_bytes"].mean()
    suitable = {
        each
        for each in bounds
        if not peaks[each] > asked_for["memory_gb"] * 1e9
        and not rate(model, each, asked_for["tasks"]).low < asked_for["images_per_s"]
    }
    is_fewest = not isnan(asked_for["images_per_s"])
    return Comparison(kept, float(sample), model, bounds, suitable, is_fewest, left_out)


def rate(model: BlockModel, candidate: Candidate, tasks: float) -> Interval:
    """Return the tasks per second of a candidate for the whole, on another occasion."""
    return UNSEEN.widen(model.log_seconds(candidate).inverse(), times=2).exp().times(tasks)


def with_whole_seconds(trials: pd.DataFrame, parts: DetailReader, tasks: float) -> pd.DataFrame:
    """Return the trials with `model_s`, the seconds that each would take for so many tasks."""
    rows = trials[["trial_id", "wall_s", "tasks"]].itertuples(index=False, name=None)
    seconds = [whole_seconds(parts, each, wall_s, tasks / measured) for each, wall_s, measured in rows]
    return trials.assign(model_s=seconds)


@lru_cache(maxsize=4096)  # a record never changes
def whole_seconds(parts: DetailReader, trial_id: str, wall_s: float, times: float) -> float:
    """Return the seconds of so many `times` the tasks of a trial.

    They are in proportion if its tasks were not recorded, or if its workers were hardly ever all busy.
    """
    tasks = parts.of("tasks", trial_id, ["process", "start_s", "end_s"])
    workers = tasks.groupby("process")
    begin_s, end_s = workers["start_s"].min().max(), workers["end_s"].max().min()  # all are busy
    if not end_s - begin_s > wall_s / 4:
        return wall_s * times
    inside_s = (tasks["end_s"].clip(upper=end_s) - tasks["start_s"].clip(lower=begin_s)).clip(lower=0)
    share = inside_s.sum() / (tasks["end_s"] - tasks["start_s"]).sum()  # of the work, in which tasks differ
    return float(wall_s + (times - 1) * (end_s - begin_s) / share)


def fitted(ok: pd.DataFrame) -> BlockModel:
    """Return the model of ok trials with `model_s`, in rounds, or as they come if none shares one."""
    rounds = ok[["sweep", "round", *Candidate._fields]].drop_duplicates()
    if rounds.duplicated(["sweep", "round"]).any():
        return BlockModel.of(ok, names(ok))
    return BlockModel(names(ok), None, ok["model_s"])
