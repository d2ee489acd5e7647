"""A/A: what `compare` says of identical code, measured over and over."""

import pandas as pd

from experiments.analysis.compare import TRIALS_A_SIDE, against_itself
from experiments.report.sections import Outputs, Results, section
from experiments.report.tables import plain_table


@section("against_itself")
def aa(results: Results) -> Outputs:
    """How many comparisons of identical code claim a difference, and all of them as data."""
    trials, notes = results.selected()
    data = against_itself(trials)
    claims = data[~data["verdict"].str.startswith("no difference")]
    counts = pd.DataFrame({"comparisons": [len(data)], "claims of a difference": [len(claims)]})
    design = (
        f"Each compares {TRIALS_A_SIDE} consecutive trials with the next {TRIALS_A_SIDE} of the same cell."
    )
    notes = [design, *claims["verdict"], *notes]
    yield "table", [plain_table("Identical code against itself", data, notes, counts)]
