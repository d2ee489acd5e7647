"""The disturbance of a trial: the load of others on its CPUs."""

import os
from collections.abc import Set

from experiments.machine.environment import read

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_counters(cpus: Set[int]) -> dict[str, float]:
    """Return `busy_s`, `iowait_s` and `steal_s` of these CPUs since boot, in ticks of 10 ms, or nothing."""
    names = {f"cpu{number}" for number in cpus}
    lines = (line.split() for line in read("proc/stat").splitlines())
    ticks = [map(int, fields) for name, *fields in lines if name in names]
    if len(ticks) != len(names):  # a container may number its CPUs differently
        return {}
    seconds = (sum(counts) / TICKS_PER_S for counts in zip(*ticks, strict=True))
    user_s, nice_s, system_s, _, iowait_s, irq_s, softirq_s, steal_s, *_ = seconds  # guests are in user_s
    busy_s = user_s + nice_s + system_s + irq_s + softirq_s
    return {"busy_s": busy_s, "iowait_s": iowait_s, "steal_s": steal_s}


def load_columns(before: dict[str, float], after: dict[str, float], trial_cpu_s: float) -> dict[str, float]:
    """Return the columns of a trial that used `trial_cpu_s` between two readings of the counters."""
    columns = {name: max(0, after[name] - before[name]) for name in before}  # iowait_s may decrease
    if "busy_s" in columns:
        columns["others_cpu_s"] = max(0, columns.pop("busy_s") - trial_cpu_s)
    return columns
