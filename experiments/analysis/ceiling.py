"""The machine's ceiling: the rate at which `copies` do the workload while all of them are busy.

Each of P copies carries out all tasks, beginning elsewhere. What they do from the moment all are busy and
warm until the first is done, weighed by the seconds that the same tasks take sequentially, is the most that
P workers can do here. The time of a copies trial is therefore

    T = window / share of the workload done in it     (tasks cut by its ends count pro rata),

at least its longest task. T(1) / (P T) has no bias from how the tasks vary, which a static deal of the
tasks (-9 % with 2 workers, -48 % with 16) and claiming them (-2, -33 %) have.
"""

import numpy as np
import pandas as pd

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.store.columns import OK
from experiments.store.files import DetailReader

TASK = ["image_index", "augmentation_index"]
WORKLOAD = ["saving", "inputs_digest", "pipeline_digest", "n_augmentations", "seed"]  # has tasks of its own
WARM_UP = 1 / 8  # of a copy's tasks: the first ones of a fresh process take longer
COLUMNS = [*TASK, "process", "start_s", "end_s"]


def with_ceilings(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """The trials, those of copies with the time of their rate for `wall_s`. A copies trial without recorded
    tasks, or without a sequential trial to weigh them by, is left out."""
    is_copies, times_s = trials["strategy"] == Copies.name, {}
    known = trials[trials["trial_id"].map(lambda each: parts.has("tasks", each)).astype(bool)]
    for _, block in known.groupby(WORKLOAD, dropna=False):
        sequential = block.loc[block["strategy"] == Sequential.name, "trial_id"]
        if len(sequential):
            seconds = pd.concat(_seconds(parts.of("tasks", each, COLUMNS)) for each in sequential)
            shares = seconds.groupby(level=[0, 1]).mean() / (seconds.sum() / len(sequential))
            for each in block.loc[block["strategy"] == Copies.name, "trial_id"]:
                times_s[each] = time_of_rate(parts.of("tasks", each, COLUMNS), shares)
    walls_s = trials["wall_s"].where(~is_copies, trials["trial_id"].map(times_s))
    return trials.assign(wall_s=walls_s)[~(is_copies & (trials["status"] == OK) & walls_s.isna())]


def time_of_rate(tasks: pd.DataFrame, shares: "pd.Series[float]") -> float:
    """Seconds of the workload at the rate of a copies trial, of its tasks and the share of the workload that
    each is (by image and augmentation)."""
    process, begins_s, ends_s = (tasks[name].to_numpy() for name in ("process", "start_s", "end_s"))
    copies = [process == number for number in np.unique(process)]
    begin_s = max(np.sort(begins_s[own])[int(WARM_UP * own.sum())] for own in copies)
    end_s = min(ends_s[own].max() for own in copies)
    inside_s = ends_s.clip(max=end_s) - begins_s.clip(min=begin_s)
    part = (inside_s / (ends_s - begins_s)).clip(min=0)
    number = shares.index.get_indexer(pd.MultiIndex.from_frame(tasks[TASK]))
    times = np.bincount(number)
    longest_s = (np.bincount(number, ends_s - begins_s) / times.clip(min=1)).max()
    return max(float((end_s - begin_s) / (part @ shares.to_numpy()[number])), float(longest_s))


def _seconds(tasks: pd.DataFrame) -> "pd.Series[float]":
    indexed = tasks.set_index(TASK)
    return indexed["end_s"] - indexed["start_s"]
