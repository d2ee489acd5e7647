"""The recommendation: which strategy, how many workers and which runtime; how fast, and what stops it."""

from dataclasses import dataclass
from math import exp, sqrt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis import candidates
from experiments.analysis.candidates import AXES, Candidate, Comparison
from experiments.analysis.ceiling import with_model_seconds
from experiments.analysis.costs import STAGE_COLUMNS, shares_of_a_task
from experiments.analysis.occasions import Occasions, between
from experiments.analysis.select import ok_trials, select
from experiments.analysis.statistics import Estimate, Interval
from experiments.analysis.verdict import verdicts
from experiments.store.columns import FAILED, RECORDED_TASKS
from experiments.store.files import DetailReader

BUSY = 0.1  # of the usable CPUs, taken by other programs: above it, they disturb the search
TOO_FAR = 0.5  # a bound that answers nothing
IDENTIFY_S, TABLE_S = 30e-6, 25e-6  # to identify a file, and to store a task, on one CPU of an AMD EPYC
SAMPLE = "inputs_digest", "files", "n_augmentations", "outputs_total"  # in these, samples of a folder differ
AVERAGES_OUT = 9  # times a trial's length: a run averages its noise so far; what lasts longer is drift


class RefusedError(ValueError):
    """A reason why rows carry no recommendation, by a name for the report, and the figures of it."""

    def __init__(self, reason: str, **figures: Any) -> None:
        super().__init__(reason, figures)
        self.reason, self.figures = reason, figures


class Ceiling(NamedTuple):
    """The rate of busy copies of the program, in the rounds of the recommended candidate."""

    share: Interval  # of the copies' rate that the candidate reaches
    speedup: Interval  # of the copies over one process
    verdict: Any  # the candidate's row of `verdict.verdicts`; None for one process
    copies: int


@dataclass(frozen=True)
class Recommendation:
    """A candidate for the whole of what was asked for, and what it rests on."""

    candidate: Candidate
    command: str
    bound: float  # at most such a share slower than the best
    images_per_s: Interval  # augmented ones, of one more run of the command, on another occasion
    occasions: Occasions  # by how much these differ
    outside_s: float  # of the whole command, before and after its tasks
    longest: pd.DataFrame  # the candidate's ok trial with most tasks, in one row
    spent: dict[str, float]  # shares of a task's seconds in it, by stage and then by transform
    peak_rss_bytes: float  # the mean of its trials
    ceiling: Ceiling | None
    warnings: list[str]  # of most of the candidate's trials
    comparison: Comparison
    asked: pd.DataFrame  # rows of `columns.Candidate`


def recommend(trials: pd.DataFrame, parts: DetailReader, asked: pd.DataFrame) -> Recommendation:
    """Return the recommendation of the newest search. Raises NoTrialsError, or RefusedError with a reason."""
    of_all_searches = trials
    trials, asked = candidates.newest_search(trials, asked)
    comparison = _comparison(trials, parts, asked)
    trials = trials[trials["saving"] == comparison.trials["saving"].iloc[-1]]  # pilots always save
    best = comparison.best
    whole: Any = asked[candidates.is_of(asked, best)].iloc[-1]
    occasions = _occasions(of_all_searches[candidates.is_of(of_all_searches, best)], parts, whole)
    ok = ok_trials(trials[candidates.is_of(trials, best)]).sort_values(["tasks", "started_at"])
    return Recommendation(
        candidate=best,
        command=whole["command"],
        bound=comparison.bounds[best],
        images_per_s=predict_rate(ok[ok["tasks"] >= comparison.tasks], parts, whole, occasions),
        occasions=occasions,
        outside_s=outside_s(ok, whole),
        longest=ok.tail(1),
        spent=shares_of_a_task(parts, str(ok["trial_id"].iloc[-1])),
        peak_rss_bytes=float(comparison.of(best)["peak_rss_bytes"].mean()),
        ceiling=_ceiling(trials, parts, best),
        warnings=frequent_warnings(ok),
        comparison=comparison,
        asked=asked,
    )


def _comparison(trials: pd.DataFrame, parts: DetailReader, asked: pd.DataFrame) -> Comparison:
    """Return the comparison of a search. Raises RefusedError if it tells nothing."""
    if asked.empty:
        raise RefusedError("not asked")
    comparison, budget_s = candidates.compare(trials, parts, asked), float(asked["budget_s"].max())
    errors = comparison.trials.loc[comparison.trials["status"] == FAILED, "error"]
    if not comparison.bounds and len(errors):
        raise RefusedError("failed", error=errors.iloc[-1])
    if not comparison.bounds:
        raise RefusedError("few rounds", budget_s=budget_s)
    if (taken := taken_by_others(ok_trials(trials))) > BUSY:
        raise RefusedError("busy", share=taken)
    best = comparison.best
    if (share := comparison.bounds[best]) > TOO_FAR and not comparison.is_fewest:
        rounds = comparison.model.rounds[best]
        raise RefusedError("unsure", candidate=best, rounds=rounds, share=share, budget_s=budget_s)
    return comparison


def frequent_warnings(trials: pd.DataFrame) -> list[str]:
    """Return the warnings of more than half of the trials."""
    counts = trials["warnings"].dropna().str.split("\n").explode().value_counts()
    return [*counts.index[counts > len(trials) / 2]]


def taken_by_others(trials: pd.DataFrame) -> float:
    """Return the share of the usable CPUs that other processes and the hypervisor took.

    All trials count together, because the kernel counts in hundredths of a second. It is 0 if the machine
    does not tell.
    """
    taken_s = float(trials[["others_cpu_s", "steal_s"]].sum(axis=1).sum())
    return max(taken_s, 0.0) / float((trials["wall_s"] * trials["usable_cpus"]).sum() or 1)


def _ceiling(trials: pd.DataFrame, parts: DetailReader, best: Candidate) -> Ceiling | None:
    """Return what the copies that were measured last did; None if there were none beside the candidate."""
    copies = ok_trials(trials[trials["strategy"] == Copies.name]).sort_values("started_at")
    if copies.empty:
        return None
    newest = copies.iloc[-1]
    same = trials[(trials["tasks"] == newest["tasks"]) & (trials["runtime_name"] == newest["runtime_name"])]
    ok = ok_trials(with_model_seconds(same, parts))
    model, one = candidates.fitted(ok), best._replace(strategy=Sequential.name, workers=1)
    several = best._replace(strategy=Copies.name, workers=int(newest["workers"]))
    share, speedup = (model.log_ratio(*pair).exp() for pair in ((several, best), (one, several)))
    judged = verdicts(same, parts).to_dict("records")
    verdict = next((row for row in judged if (row["strategy"], row["workers"]) == best[:2]), None)
    return Ceiling(share, speedup, verdict, several.workers) if share.known else None


def outside_s(trials: pd.DataFrame, whole: Any) -> float:
    """Return the seconds of a candidate's whole command before and after its tasks, by its trials."""
    recorded = whole["tasks"] if whole["tasks"] <= RECORDED_TASKS else 0
    known_s = np.nan_to_num([whole["startup_s"], trials["untimed_s"].min()]).sum()
    return float(known_s + whole["files"] * IDENTIFY_S + recorded * TABLE_S)


def _occasions(trials: pd.DataFrame, parts: DetailReader, whole: Any) -> Occasions:
    """Return what occasions differ by, from all trials of a candidate that are alike but for the sample."""
    trials = trials.sort_values("started_at")
    folders = trials["inputs"].fillna("")
    alike = ok_trials(select(trials[folders == folders.iloc[-1]], (*AXES, *SAMPLE))[0])
    seconds = candidates.with_whole_seconds(alike, parts, whole["tasks"])["model_s"]
    return between(alike, [whole["strategy"]] * len(alike), np.log(seconds))


def predict_rate(trials: pd.DataFrame, parts: DetailReader, whole: Any, occasions: Occasions) -> Interval:
    """Return the images per second of one more run of a candidate's command, by its ok trials.

    `whole` is the candidate's row of `columns.Candidate`. Samples count by their images. The interval holds
    how trials of a sample differ, which a longer run averages out, how the images differ, and the occasions.
    """
    known = candidates.with_whole_seconds(trials, parts, whole["tasks"])
    known["log"] = np.log(known["model_s"])
    samples = known.groupby("tasks").agg(
        log=("log", "mean"), trials=("log", "size"), images=("n_images", "max")
    )
    weights, dof = samples["images"] / samples["images"].sum(), len(known) - len(samples)
    value, beside = float(np.dot(weights, samples["log"])), known["log"] - known["tasks"].map(samples["log"])
    as_long = exp(value) / trials["wall_s"].median()
    of_runs = float(np.sum(weights**2 / samples["trials"])) + 1 / min(max(as_long, 1), AVERAGES_OUT)
    longest = str(trials.sort_values("tasks", kind="stable")["trial_id"].iloc[-1])
    tasks = parts.of("tasks", longest, ["image_index", *STAGE_COLUMNS])
    of_images = _image_variance(tasks, whole, samples["images"].sum(), float(np.sum(samples.index)))
    error = sqrt(float(np.square(beside).sum()) / dof * of_runs + of_images)
    widened = occasions.widen(Estimate(-value, error, dof), times=2)  # the search's, and that of the run
    return widened.exp().times(float(whole["tasks"]))


def _image_variance(tasks: pd.DataFrame, whole: Any, images: float, n_tasks: float) -> float:
    """Return the variance of the mean seconds of a task, as a share of their square, by tasks of a trial.

    It comes from the images and random transforms that the trials, of so many images and tasks, have not met
    (sampling in two stages: Cochran 1977, chapter 10).
    """
    of_image = tasks[STAGE_COLUMNS].sum(axis=1).groupby(tasks["image_index"])
    means_s = of_image.mean()
    between_images = np.nan_to_num(means_s.var()) / images * max(1 - images / whole["files"], 0)
    within = np.nan_to_num(of_image.var().mean()) / n_tasks * max(1 - n_tasks / whole["tasks"], 0)
    return float((between_images + within) / means_s.mean() ** 2) if len(means_s) else 0.0
