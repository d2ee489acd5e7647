"""Disturbances of a trial: the load of others on its CPUs, and a change of the machine's speed."""

import hashlib
import os
import time
import timeit
import zlib
from collections.abc import Sequence, Set

from experiments.machine.environment import read

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LARGEST_DRIFT, LARGEST_SPREAD = 0.10, 0.10  # shares; pyperf warns of a spread of 10 %, too
KERNEL_RUNS = 5
# Compressing reads, compares and branches like a codec, in memory that fits into a core's caches.
# Text of random hexadecimal digits is equally hard to compress on every machine.
_TEXT = "".join(hashlib.sha256(i.to_bytes(2, "big")).hexdigest() for i in range(2048)).encode()


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


def kernel_s() -> float:
    """Return the seconds of the fastest of KERNEL_RUNS runs of a fixed piece of work, about 5 ms on one core.

    A change of this time is a change of the machine (clock, heat, neighbours). The fastest run leaves out
    short interruptions. Python's zlib does the work, so no version of NumPy or OpenCV changes it.
    """
    kernel = timeit.Timer(lambda: zlib.compress(_TEXT, 6), timer=time.perf_counter)
    return min(kernel.repeat(KERNEL_RUNS, number=1))


def drift_findings(before_s: float, after_s: float) -> list[str]:
    """Return a finding if the kernel's time after a trial differs by more than LARGEST_DRIFT from before."""
    drift = after_s / before_s - 1
    if abs(drift) <= LARGEST_DRIFT:
        return []
    word = "slower" if drift > 0 else "faster"
    return [f"the machine ran {100 * abs(drift):.0f} % {word} after the trial than before"]


def spread_findings(walls_s: Sequence[float]) -> list[str]:
    """Return a finding if the slowest trial took more than LARGEST_SPREAD longer than the fastest."""
    if not walls_s or (spread := max(walls_s) / min(walls_s) - 1) <= LARGEST_SPREAD:
        return []
    return [f"the repetitions differ by {100 * spread:.0f} %"]
