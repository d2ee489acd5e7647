"""The efficiencies of the POP project, multiplicative model (co-design.pop-coe.eu/metrics), for
processes instead of MPI ranks.

    Global Efficiency   = Parallel Efficiency x Computation Scaling
    Parallel Efficiency = Load Balance x Communication Efficiency
    Load Balance = mean useful / largest useful       Communication Efficiency = largest useful / T
    Computation Scaling = useful of the reference / useful here, in time, the work being the same

Useful computation is time outside the parallel runtime: here the stages of the tasks without `send`,
by the clock, as POP has it: waiting for a CPU or a disk inside a stage counts as useful and lowers
Computation Scaling. The time breakdown tells these apart. All ratios: 1.0 is 100 %.
"""

import pandas as pd

from experiments.analysis.scaling import STRONG

EFFICIENCIES = {
    "global_efficiency": "Global\nEfficiency",
    "parallel_efficiency": "Parallel\nEfficiency",
    "load_balance": "Load\nBalance",
    "communication_efficiency": "Communication\nEfficiency",
    "computation_scaling": "Computation\nScaling",
}


def pop(breakdowns: pd.DataFrame) -> pd.DataFrame:
    """The efficiencies of each point, means over the repetitions, of its `breakdowns`."""
    useful_s, largest_s = breakdowns["useful_s"], breakdowns["useful_largest_s"]
    balance = useful_s / breakdowns["workers"] / largest_s
    communication, scaling = largest_s / breakdowns["wall_s"], breakdowns["reference_useful_s"] / useful_s
    parallel = balance * communication
    values = (parallel * scaling, parallel, balance, communication, scaling)
    each = breakdowns[list(STRONG)].assign(**dict(zip(EFFICIENCIES, values, strict=True)))
    return each.groupby(list(STRONG), as_index=False).mean()
