"""Whether extra user CPU is of the memory or of the cores, told by the probes' own inflation.

Work that computes a share 1 - a of its time and streams memory the share a inflates between them:

    u - 1 = a (m - 1) + (1 - a) (c - 1),   hence   a = (u - c) / (m - c), kept in [0, 1]

where u is what the workload's user CPU inflates by in company, c that of the compute probe and m that of
the memory probe, in the rounds of the same trials. The first term is memory's part of the inflation, the
second the cores' (clock, SMT). The larger is named if it is the larger in SURE of the draws and the
two explain EXPLAINS of the cell's inflation over the reference; all else is not decided.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.analysis.ceilings import COMPUTE, DRAWS, MEMORY, inflation
from experiments.analysis.company import WORKLOAD
from experiments.analysis.losses import Cell

MEMORY_BOUND, CLOCK, UNDECIDED = "memory bandwidth or cache", "clock or SMT", "not decided"
SURE = 0.9
EXPLAINS = 1 / 3  # of the inflation: what explains less is not its cause; no probe is as greedy as some work
LEAST_SPREAD = 0.01  # standard deviation: what a probe has in common with any work is no closer

Array = npt.NDArray[np.float64]


def inflation_cause(cell: Cell, inflations: pd.DataFrame) -> tuple[str, str]:
    """The cause of a cell's extra user CPU, and the sentence that says why."""
    inflated = cell.mean["user"] / cell.mean["inflating_s"] + 1
    said = f"the same work takes {inflated:.2f} times the reference's user CPU"
    workload, cores, stream = (
        inflation(inflations, name, cell.workers, "user", cell.saving) for name in (WORKLOAD, COMPUTE, MEMORY)
    )
    if workload is None or cores is None or stream is None:
        return UNDECIDED, f"{said}, and what company costs was not measured in turns at this count"
    said += f"; in turns, in company over alone, {workload.value:.2f} times, where the compute probe takes "
    said += f"{cores.value:.2f} times its own and the memory probe {stream.value:.2f} times"
    random = np.random.default_rng(0)
    near = (one.draws * np.exp(LEAST_SPREAD * random.normal(size=DRAWS)) for one in (cores, stream))
    of_memory, of_cores = parts(workload.draws, *near)
    if (of_memory + of_cores).mean() < EXPLAINS * (inflated - 1):
        return UNDECIDED, f"{said}: neither explains it"
    probability = float((of_memory > of_cores).mean())
    if probability >= SURE:
        return MEMORY_BOUND, f"{said}: it goes with memory"
    if probability <= 1 - SURE:
        return CLOCK, f"{said}: it goes with the cores"
    return UNDECIDED, f"{said}: either may be the cause"


def parts(workload: Array, compute: Array, memory: Array) -> tuple[Array, Array]:
    """Memory's and the cores' part of an inflation, by the mixture above."""
    apart = memory - compute
    known = np.abs(apart) > 1e-9
    share = np.clip(np.divide(workload - compute, apart, out=np.full_like(apart, 0.5), where=known), 0, 1)
    return share * np.clip(memory - 1, 0, None), (1 - share) * np.clip(compute - 1, 0, None)
