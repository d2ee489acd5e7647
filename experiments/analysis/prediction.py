"""The predicted rate of a candidate's command: augmented images per second of one more run."""

from math import exp, sqrt
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.candidates import whole_seconds
from experiments.analysis.costs import STAGE_COLUMNS
from experiments.analysis.statistics import Estimate, Interval
from experiments.store.files import DetailReader

AVERAGES_OUT = 9  # times as long a run differs as little as the mean of so many; what lasts longer is drift


def predict_rate(trials: pd.DataFrame, parts: DetailReader, whole: Any) -> Interval:
    """Return the images per second of one more run of a candidate's command, by its ok trials.

    `whole` is the candidate's row of `columns.Candidate`. The interval holds how trials differ, which a
    longer run averages out, and how the images differ.
    """
    known: Any = trials[["trial_id", "wall_s", "tasks"]].itertuples(index=False)
    logs = np.log(
        [whole_seconds(parts, each, wall_s, whole["tasks"] / tasks) for each, wall_s, tasks in known]
    )
    longest = str(trials.sort_values("tasks")["trial_id"].iloc[-1])
    as_long = exp(logs.mean()) / trials["wall_s"].median()
    of_runs = logs.var(ddof=1) * (1 / len(logs) + 1 / min(max(as_long, 1), AVERAGES_OUT))
    error = sqrt(
        of_runs + _image_variance(parts.of("tasks", longest, ["image_index", *STAGE_COLUMNS]), whole)
    )
    rate = Estimate(-logs.mean(), error, len(logs) - 1).exp()
    return rate.times(float(whole["tasks"]))


def _image_variance(tasks: pd.DataFrame, whole: Any) -> float:
    """Return the variance of the mean seconds of a task, as a share of their square.

    It comes from the images and random transforms that a trial has not met (sampling in two stages:
    Cochran 1977, chapter 10).
    """
    of_image = tasks[STAGE_COLUMNS].sum(axis=1).groupby(tasks["image_index"])
    means_s, images = of_image.mean(), of_image.ngroups
    between = np.nan_to_num(means_s.var()) / images * max(1 - images / whole["files"], 0)
    within = np.nan_to_num(of_image.var().mean()) / len(tasks) * max(1 - len(tasks) / whole["tasks"], 0)
    return float((between + within) / means_s.mean() ** 2) if images else 0.0
