"""The efficiencies of the POP project (multiplicative model, co-design.pop-coe.eu/metrics): 1.0 is 100 %.

    Global Efficiency   = Parallel Efficiency x Computation Scaling
    Parallel Efficiency = Load Balance x Communication Efficiency
    Load Balance = mean useful / largest useful       Communication Efficiency = largest useful / T
    Computation Scaling = useful of the reference / useful here, in time, the work being the same

Useful are the stages of tasks without `send`, by the clock, as POP has it: waiting in a stage for a CPU or
a disk, which the time breakdown tells apart, lowers Computation Scaling.
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
