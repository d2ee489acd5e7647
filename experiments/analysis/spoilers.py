"""What spoils a measurement, or the work itself, found in what was recorded."""

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.ceiling import WORKLOAD
from experiments.analysis.text import label
from experiments.store.columns import OK
from experiments.store.files import DetailReader

BUSY = 0.1  # of the usable CPUs, taken by others: more is not this machine at its own
GROWTH_BYTES = 2e6  # in a third of a process's tasks: less is none
MIN_TASKS = 12  # of a process, below which its memory tells nothing
RSS = ["worker", "end_s", "rss_bytes"]


def taken_by_others(trials: pd.DataFrame) -> float:
    """The share of the usable CPUs that other processes and the hypervisor took during the trials, all
    together, for the kernel counts in hundredths of a second; 0 where the machine does not tell."""
    taken_s = float(trials[["others_cpu_s", "steal_s"]].sum(axis=1).sum())
    return max(taken_s, 0.0) / float((trials["wall_s"] * trials["usable_cpus"]).sum() or 1)


def own_randomness(trials: pd.DataFrame) -> list[str]:
    """A line for each strategy whose outputs are not those that sequential makes of the same work: its
    transforms draw from something else than the task's seed."""
    saved, lines = trials[(trials["status"] == OK) & trials["outputs_digest"].notna()], {}
    for _, same in saved.groupby(WORKLOAD, dropna=False):
        reference = same[same["strategy"] == Sequential.name]
        others = same[~same["outputs_digest"].isin(reference["outputs_digest"])]
        for strategy, each in others.groupby("strategy") if len(reference) else ():
            counts = [int(rows["distinct_outputs"].iloc[0]) for rows in (each, reference)]
            lines[strategy] = (
                f"{label(str(strategy))} makes other outputs than sequential, {counts[0]} different ones of "
                f"{each['outputs'].iloc[0]:.0f} (sequential {counts[1]}): the pipeline draws randomness that "
                "is not of the task's seed, and workers may draw the same"
            )
    return [*lines.values()]


def growing_memory(trials: pd.DataFrame, parts: DetailReader) -> list[str]:
    """A line where the processes of most trials, of those with most tasks, hold more memory from task to
    task."""
    longest = trials[trials["tasks"] == trials["tasks"].max()]
    grown = [each for trial_id in longest["trial_id"] for each in _growths(parts.of("tasks", trial_id, RSS))]
    leaking = [each for each in grown if each > 0]
    if not grown or len(leaking) <= len(grown) / 2:
        return []
    mean = sum(leaking) / len(leaking)
    return [f"memory grows by {mean / 1e6:.2g} MB from task to task: something keeps what it has made"]


def _growths(tasks: pd.DataFrame) -> list[float]:
    """Bytes from task to task, of each process with enough of them; 0 where it does not go on growing to the
    end. Of each third of its tasks, and each half of the last one, the least counts: what is held while a
    large image is worked on is given back."""
    growths = []
    for _, each in tasks.dropna(subset="rss_bytes").sort_values("end_s").groupby("worker"):
        if len(each) >= MIN_TASKS:
            held, third = each["rss_bytes"].to_numpy(float), len(each) // 3
            first, middle, last = (held[k * third : (k + 1) * third] for k in range(3))
            growth = last.min() - middle.min()
            at_the_end = last[third // 2 :].min() - last[: third // 2].min()
            goes_on = (
                growth >= max(GROWTH_BYTES, (middle.min() - first.min()) / 2) and at_the_end >= growth / 4
            )
            growths.append(growth / third if goes_on else 0.0)
    return growths
