"""A/A: what the intervals of this suite say of identical code, measured over and over."""

import pandas as pd
from scipy import stats

from experiments.analysis.ablation import AA_ROUNDS, aa_comparisons
from experiments.analysis.statistics import LEVEL
from experiments.analysis.text import label, percent, percent_interval
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import plain_table

DESIGN = (
    f"Each compares a cell with itself over {AA_ROUNDS} rounds, by the block model. Of {percent(LEVEL)} "
    f"intervals {percent(1 - LEVEL)} claim a difference by chance; in parentheses Clopper-Pearson limits."
)


@section("aa")
def aa(results: Results) -> Outputs:
    """How many comparisons of identical code claim a difference, and all of them as data."""
    trials, notes = results.comparable
    data = aa_comparisons(trials)
    claims = data[data["claim"]]
    limits = stats.binomtest(len(claims), len(data)).proportion_ci(LEVEL, "exact")
    share = percent_interval(len(claims) / len(data), float(limits.low), float(limits.high))
    counts = pd.DataFrame({"comparisons": [len(data)], "claims": [len(claims)], "share": [share]})
    words = [
        f"Claimed of {label(row['strategy'])}: {percent_interval(row['gain'], row['low'], row['high'], '+')}"
        for row in claims.to_dict("records")
    ]
    yield "table", [plain_table("Identical code against itself", data, [DESIGN, *words, *notes], counts)]
