"""Causes in the records that spoil a measurement, or the work itself."""

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.ceiling import WORKLOAD
from experiments.analysis.select import ok_trials
from experiments.store.files import DetailReader

GROWTH_BYTES = 2e6  # in a third of a process's tasks: less is none
MIN_TASKS = 12  # of a process, below which its memory tells nothing
RSS = ["process", "end_s", "rss_bytes"]
OUTPUTS = ["outputs_digest", "distinct_outputs"]


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


def other_outputs(trials: pd.DataFrame) -> pd.DataFrame:
    """Return a trial of each strategy whose outputs differ from those of sequential for equal work.

    Such transforms draw from more than the task's seed. The OUTPUTS of sequential stand beside as
    `…_sequential`.
    """
    saved = ok_trials(trials).dropna(subset="outputs_digest")
    saved = saved[~(saved["hashed_outputs"] < saved["outputs"])]  # a digest of some compares with no other
    is_sequential = saved["strategy"] == Sequential.name
    reference = saved.loc[is_sequential, [*WORKLOAD, *OUTPUTS]].drop_duplicates(WORKLOAD)
    both = saved[~is_sequential].merge(reference, on=WORKLOAD, suffixes=("", "_sequential"))
    return both[both["outputs_digest"] != both["outputs_digest_sequential"]].drop_duplicates("strategy")


def memory_growth(trials: pd.DataFrame, parts: DetailReader) -> float:
    """Return the bytes from task to task by which most processes of the longest trials grow; else 0."""
    longest = trials[trials["tasks"] == trials["tasks"].max()]
    growths = [
        each for trial_id in longest["trial_id"] for each in _growths(parts.of("tasks", trial_id, RSS))
    ]
    growing = [each for each in growths if each > 0]
    return sum(growing) / len(growing) if len(growing) > len(growths) / 2 else 0.0


def _growths(tasks: pd.DataFrame) -> list[float]:
    """Return the bytes from task to task of each process with enough tasks; 0 if its memory settles.

    The least of a span of its tasks counts, because the memory for a large image is returned.
    """
    growths = []
    for _, each in tasks.dropna(subset="rss_bytes").sort_values("end_s").groupby("process"):
        if len(each) >= MIN_TASKS:
            third = len(each) // 3
            spans = (0, third), (third, 2 * third), (2 * third, 5 * third // 2), (5 * third // 2, 3 * third)
            first, middle, begin, end = (each["rss_bytes"].iloc[slice(*span)].min() for span in spans)
            growth = min(begin, end) - middle
            goes_on = growth >= max(GROWTH_BYTES, (middle - first) / 2) and end - begin >= growth / 4
            growths.append(growth / third if goes_on else 0.0)
    return growths
