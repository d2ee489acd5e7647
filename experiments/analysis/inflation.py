"""Whether extra user CPU is of the memory or of the cores, from the probes' inflation.

Work that computes a share 1 - a of its time and streams memory the share a inflates between them:

    u - 1 = a (m - 1) + (1 - a) (c - 1),   hence   a = (u - c) / (m - c), kept in [0, 1]

where u is what the workload's user CPU inflates by in company, c that of the compute probe and m that of
the memory probe, in the rounds of the same trials. The first term is memory's part of the inflation, the
second the cores' (clock, SMT). The larger is named if it is the larger in CONFIDENCE of the samples and the
two explain EXPLAINS of the point's inflation over the reference; all else is not decided.
"""

import numpy as np
import pandas as pd

from experiments.analysis.ceilings import COMPUTE, MEMORY, inflation
from experiments.analysis.company import WORKLOAD
from experiments.analysis.losses import Point
from experiments.analysis.statistics import SAMPLES, Array

MEMORY_BOUND, CLOCK, UNDECIDED = "memory bandwidth or cache", "clock or SMT", "not decided"
CONFIDENCE = 0.9
EXPLAINS = 1 / 3  # of the inflation: what explains less is not its cause; no probe is as greedy as some work
MIN_SPREAD = 0.01  # standard deviation: what a probe has in common with any work is no closer


def inflation_cause(point: Point, inflations: pd.DataFrame) -> tuple[str, str]:
    """The cause of a point's extra user CPU, and the sentence that says why."""
    inflated = point.mean["user"] / point.mean["inflating_s"] + 1
    words = f"the same work takes {inflated:.2f} times the reference's user CPU"
    workload, cores, stream = (
        inflation(inflations, name, point.workers, "user", point.saving)
        for name in (WORKLOAD, COMPUTE, MEMORY)
    )
    if workload is None or cores is None or stream is None:
        return UNDECIDED, f"{words}, and what company costs was not measured in turns at this count"
    words += f"; in turns, in company over alone, {workload.value:.2f} times, where the compute probe takes "
    words += f"{cores.value:.2f} times its own and the memory probe {stream.value:.2f} times"
    random = np.random.default_rng(0)
    near = (probe.samples * np.exp(MIN_SPREAD * random.normal(size=SAMPLES)) for probe in (cores, stream))
    of_memory, of_cores = parts(workload.samples, *near)
    if (of_memory + of_cores).mean() < EXPLAINS * (inflated - 1):
        return UNDECIDED, f"{words}: neither explains it"
    probability = float((of_memory > of_cores).mean())
    if probability >= CONFIDENCE:
        return MEMORY_BOUND, f"{words}: it goes with memory"
    if probability <= 1 - CONFIDENCE:
        return CLOCK, f"{words}: it goes with the cores"
    return UNDECIDED, f"{words}: either may be the cause"


def parts(workload: Array, compute: Array, memory: Array) -> tuple[Array, Array]:
    """Memory's and the cores' part of an inflation, by the mixture above."""
    apart = memory - compute
    known = np.abs(apart) > 1e-9
    share = np.clip(np.divide(workload - compute, apart, out=np.full_like(apart, 0.5), where=known), 0, 1)
    return share * np.clip(memory - 1, 0, None), (1 - share) * np.clip(compute - 1, 0, None)
