"""Causes in the records that spoil a measurement."""

import pandas as pd


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
