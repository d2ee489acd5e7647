"""Whether extra user CPU is of the memory or of the cores, told by the probes' own inflation.

Work that computes a share 1 - a of its time and streams memory the share a inflates between them:

    u - 1 = a (m - 1) + (1 - a) (c - 1),   hence   a = (u - c) / (m - c), kept in [0, 1]

where u is the user CPU of the workload over the reference's, c that of the compute probe and m that
of the memory probe at the same worker count. The first term is memory's part of the inflation, the
second the cores' (clock, SMT). The larger is named if it is the larger in SURE of the draws and the
two explain EXPLAINS of the inflation; all else is not decided.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.reporting.ceilings import COMPUTE, DRAWS, MEMORY, inflation
from experiments.reporting.losses import WIDTH, Cell

MEMORY_BOUND, CLOCK, UNDECIDED = "memory bandwidth or cache", "clock or SMT", "not decided"
SURE = 0.9
EXPLAINS = 1 / 5  # of the inflation: what explains less is not its cause; no probe is as greedy as some work
LEAST_SPREAD = 0.01  # standard deviation: what a probe has in common with any work is no closer

Array = npt.NDArray[np.float64]


def inflation_cause(cell: Cell, inflations: pd.DataFrame) -> tuple[str, str]:
    """The cause of a cell's extra user CPU, and the sentence that says why."""
    workload = cell.mean["user"] / cell.mean["inflating_s"] + 1
    said = f"the same work takes {workload:.2f} times the reference's user CPU"
    if cell.in_turns:
        said += f" ({cell.in_turns[0]:.2f} times in turns, in company over alone)"
    cores, stream = (inflation(inflations, probe, cell.workers, "user") for probe in (COMPUTE, MEMORY))
    if cores is None or stream is None:
        return UNDECIDED, f"{said}, and the probes that tell memory from clock were not run at this count"
    random = np.random.default_rng(0)
    compute, memory = _draws(random, cores), _draws(random, stream)
    drawn: Array = np.resize(cell.user_inflation.to_numpy(float), DRAWS)
    said += f", the compute probe {cores[0]:.2f} times its own, the memory probe {stream[0]:.2f} times"
    of_memory, of_cores = parts(drawn, compute, memory)
    if (of_memory + of_cores).mean() < EXPLAINS * (drawn.mean() - 1):
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


def _draws(random: np.random.Generator, of: tuple[float, float, float]) -> Array:
    """Log-normal draws of a probe's inflation, at least LEAST_SPREAD wide."""
    value, low, high = of
    own = 0.0 if np.isnan(low) else float(np.log(high / low)) / WIDTH
    return np.asarray(np.exp(np.log(value) + np.hypot(own, LEAST_SPREAD) * random.normal(size=DRAWS)))
