"""What a machine did besides a trial, whoever had it done: read in /proc before and after."""

import os
from collections.abc import Set

from experiments.machine.environment import read

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def counters(cpus: Set[int]) -> dict[str, float]:
    """What the kernel has counted since boot: `busy_s`, `iowait_s` and `steal_s` of these CPUs together, in
    ticks of 10 ms. What it does not say is left out."""
    names = {f"cpu{number}" for number in cpus}
    lines = (line.split() for line in read("proc/stat").splitlines())
    ticks = [map(int, fields) for name, *fields in lines if name in names]
    if len(ticks) != len(names):  # a container may show CPUs under numbers of its own
        return {}
    seconds = (sum(each) / TICKS_PER_S for each in zip(*ticks, strict=True))
    user_s, nice_s, system_s, _, iowait_s, irq_s, softirq_s, steal_s, *_ = seconds  # guests are in user_s
    busy_s = user_s + nice_s + system_s + irq_s + softirq_s
    return {"busy_s": busy_s, "iowait_s": iowait_s, "steal_s": steal_s}


def besides(before: dict[str, float], after: dict[str, float], own_cpu_s: float) -> dict[str, float]:
    """The columns of a trial that used `own_cpu_s` between two readings of the counters."""
    columns = {name: max(0, after[name] - before[name]) for name in before}  # iowait_s may go back
    if "busy_s" in columns:
        columns["others_cpu_s"] = max(0, columns.pop("busy_s") - own_cpu_s)
    return columns
