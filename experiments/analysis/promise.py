"""What the command of a candidate will reach.

It is foretold from the candidate's trials on the largest sample: T = outside + tasks x (T_sample - outside) /
tasks_sample, where `outside` is before the first task and after the last one. Its interval is that of one run
more: from how trials differ, which longer runs average out, up to AVERAGES_OUT times as long, and how the
images of the sample differ."""

import json
from math import exp, inf, log, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from augment.strategies.instruments.copies import Copies
from experiments.analysis.candidates import AXES, Measured
from experiments.analysis.costs import STAGE_COLUMNS
from experiments.analysis.engines import Cell
from experiments.analysis.statistics import DECIMALS, LEVEL, Interval
from experiments.analysis.text import percent
from experiments.store.columns import OK
from experiments.store.files import DetailReader

AVERAGES_OUT = 9  # times as long a run differs as little as the mean of so many; what lasts longer is drift
TOO_FAR = 0.5  # a bound, or a half width of what is foretold, that answers nothing
SPAN = ["image_index", "start_s", "end_s", *STAGE_COLUMNS]


class RefusedError(ValueError):
    """The rows cannot carry a recommendation: why, and what to run."""


def request(asked: pd.DataFrame, cell: Cell) -> dict[str, Any]:
    """What was asked for, with the command of a candidate for all of it. Raises RefusedError."""
    rows = asked[(asked[[*Cell._fields]] == list(cell)).all(axis=1)].sort_values("started_at")
    if rows.empty:
        raise RefusedError(
            f"no command is recorded for {cell.strategy} with {cell.workers} workers: run it again"
        )
    return {str(name): value for name, value in rows.iloc[-1].items()}


def more(asked: pd.DataFrame) -> str:
    """The budget of a second try, in seconds."""
    return f"{2 * asked['budget_s'].max():.0f}"


def promised(
    found: Measured, every: pd.DataFrame, cell: Cell, parts: DetailReader, asked: pd.DataFrame
) -> Interval:
    """Augmented images per second of one run of a candidate's command. Raises RefusedError where that is too
    uncertain to say."""
    own, whole = found.of(cell), request(asked, cell)
    trials = _longest(every, own)
    spans = [parts.of("tasks", each, SPAN) for each in trials["trial_id"]]
    inside_s = np.array([each["end_s"].max() - each["start_s"].min() for each in spans])
    outside_s = trials["wall_s"].to_numpy(float) - inside_s
    times = whole["tasks"] / float(trials["tasks"].iloc[0])  # as many tasks
    larger, of_images = _images(spans[0], trials.iloc[0], whole)
    foretold_s = outside_s.mean() + times * larger * exp(np.log(inside_s).mean())
    usual_s = float(own["wall_s"].mean())  # of the trials that the spread is known of
    long_s, whole_s = trials["wall_s"].sum(), foretold_s
    moments = [min(max(each / usual_s, 1), AVERAGES_OUT) for each in (long_s, whole_s)]
    spread, dof = _spread(found)
    of_moments = spread * sqrt(sum(1 / each for each in moments))
    error = sqrt(of_moments**2 + of_images**2)
    half = error * float(stats.t.ppf((1 + LEVEL) / 2, dof))
    if not half < log(1 + TOO_FAR):
        raise RefusedError(
            f"{cell.strategy} with {cell.workers} workers: its next run may take {percent(exp(half) - 1)} "
            "longer, so much do trials and images differ; end what else runs here, or give more, "
            f"advise.budget_s={more(asked)}"
        )
    rate = whole["tasks"] / foretold_s
    return Interval(rate, rate * exp(-half), rate * exp(half))


def _spread(found: Measured) -> tuple[float, float]:
    """Standard deviation of ln(seconds of a trial) over all candidates, what rounds differ by included, and
    its degrees of freedom (Satterthwaite 1946: those within rounds are many, those between them few)."""
    ok = found.trials[(found.trials["status"] == OK) & (found.trials["strategy"] != Copies.name)]
    logs = np.log(ok["wall_s"]).groupby([ok[name] for name in Cell._fields])
    counts, rounds = logs.count(), len(ok[["sweep", "round"]].drop_duplicates())
    free, within = (counts - 1).sum(), max(found.model.variance, 10 ** (-2 * DECIMALS))
    if not free or rounds < 2:
        return inf, 1.0
    whole = float((logs.var() * (counts - 1)).sum()) / free
    between = max(whole - within, 0.0)
    dof = (within + between) ** 2 / (within**2 / found.model.dof + between**2 / (rounds - 1))
    return sqrt(within + between), dof


def _longest(trials: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Of the same candidate those on the largest sample since its first trial."""
    same = [*AXES, "ablation", "saving", "pipeline_digest", "code_digest", "machine"]
    alike = trials[(trials[same] == own.iloc[-1][same]).all(axis=1) & (trials["status"] == OK)]
    alike = alike[alike["started_at"] >= own["started_at"].min()]
    longest: pd.DataFrame = alike[alike["tasks"] == alike["tasks"].max()]
    return longest


def _images(tasks: pd.DataFrame, trial: Any, whole: dict[str, Any]) -> tuple[float, float]:
    """How much larger the images of the whole are than those of a trial, and the standard error of the mean
    seconds of a task, as a share of it, from the images and the random transforms that the trial has not met
    (a ratio estimate in two stages: Cochran 1977, chapters 6 and 10)."""
    each_s = tasks[STAGE_COLUMNS].sum(axis=1) / tasks[STAGE_COLUMNS].sum(axis=1).mean()
    of_image = each_s.groupby(tasks["image_index"])
    means, met = of_image.mean(), len(tasks) / whole["tasks"]
    within = float(of_image.var().mean()) / len(tasks) * max(1 - met, 0)
    if not isinstance(trial["sampled_images"], str) or len(means) < 2:
        return 1.0, sqrt(np.nan_to_num(within))
    skipped = json.loads(trial["skipped_images"]) if isinstance(trial["skipped_images"], str) else {}
    sizes = [each for name, each in json.loads(trial["sampled_images"]).items() if name not in skipped]
    pixels = pd.Series(sizes, means.index)
    residuals = means - pixels / pixels.mean()
    between = float(residuals.var()) / len(means) * max(1 - len(sizes) / whole["files"], 0)
    larger = whole["pixels"] / whole["files"] / float(pixels.mean())
    return larger, sqrt(between + np.nan_to_num(within))
