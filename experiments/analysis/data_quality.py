"""Causes in the records that spoil a measurement, or the work itself."""

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.ceiling import WORKLOAD
from experiments.analysis.select import ok_trials

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
