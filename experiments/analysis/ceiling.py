"""The machine's ceiling: the rate at which `copies` do the workload while all of them are busy.

Each of P copies carries out all tasks, beginning elsewhere. The window begins when all copies are busy and
warm, and ends when the first is done. A task counts with its share of the workload's sequential seconds, pro
rata if the window cuts it:

    model_s = window / share of the workload done in it

but at least the longest task. `T(1) / (P model_s)` has no bias if tasks differ in length. Tasks that are
dealt out or claimed once would have one, because the last workers end alone.
"""

import numpy as np
import pandas as pd

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis.select import ok_trials, recorded
from experiments.store.columns import OF_OUTPUTS, OK
from experiments.store.files import DetailReader

TASK = ["image_index", "augmentation_index"]
WORKLOAD = ["saving", *OF_OUTPUTS]  # determines the tasks
# The first tasks of a fresh process take longer: the first by a third to a half, the next seven by 2 to 10 %.
WARM_UP, WARM_UP_TASKS, MOST_WARM_UP = 1 / 8, 8, 1 / 4  # shares of a copy's tasks
COLUMNS = [*TASK, "process", "start_s", "end_s"]


def with_model_seconds(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return the trials with `model_s`, the seconds that models take: `wall_s`, or those of the copies' rate.

    A copies trial without recorded tasks, or without a sequential trial to weigh them by, is left out.
    """
    is_copies, seconds = trials["strategy"] == Copies.name, {}
    for _, block in recorded(ok_trials(trials), parts).groupby([*WORKLOAD, "runtime"], dropna=False):
        sequential = block.loc[block["strategy"] == Sequential.name, "trial_id"]
        copies = block.loc[block["strategy"] == Copies.name, "trial_id"]
        if len(sequential) and len(copies):
            tasks = pd.concat(parts.of("tasks", trial_id, COLUMNS) for trial_id in sequential).set_index(TASK)
            tasks_s = tasks["end_s"] - tasks["start_s"]
            shares = tasks_s.groupby(level=[0, 1]).mean() / (tasks_s.sum() / len(sequential))
            for trial_id in copies:
                seconds[trial_id] = seconds_at_rate(parts.of("tasks", trial_id, COLUMNS), shares)
    model_s = trials["wall_s"].where(~is_copies, trials["trial_id"].map(seconds))
    return trials.assign(model_s=model_s)[~(is_copies & (trials["status"] == OK) & model_s.isna())]


def seconds_at_rate(tasks: pd.DataFrame, shares: "pd.Series[float]") -> float:
    """Return the seconds of the workload at the rate of a copies trial.

    `tasks` are its tasks with COLUMNS, `shares` the share of the workload that each task is, by TASK.
    """
    process, begins_s, ends_s = (tasks[name].to_numpy() for name in ("process", "start_s", "end_s"))
    copies = [process == number for number in np.unique(process)]
    begin_s = max(np.sort(begins_s[copy])[_warm_up(copy.sum())] for copy in copies)
    end_s = min(ends_s[copy].max() for copy in copies)
    inside_s = ends_s.clip(max=end_s) - begins_s.clip(min=begin_s)
    part = (inside_s / (ends_s - begins_s)).clip(min=0)  # of each task in the window
    number = shares.index.get_indexer(pd.MultiIndex.from_frame(tasks[TASK]))
    times = np.bincount(number)
    longest_s = (np.bincount(number, ends_s - begins_s) / times.clip(min=1)).max()
    return max(float((end_s - begin_s) / (part @ shares.to_numpy()[number])), float(longest_s))


def _warm_up(tasks: int) -> int:
    """Return how many of the first tasks of a copy are left out."""
    return int(max(WARM_UP * tasks, min(WARM_UP_TASKS, MOST_WARM_UP * tasks)))
