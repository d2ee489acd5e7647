"""The study's claims, held against one's own results, and what is wrong in its printed tables."""

from pathlib import Path

import pandas as pd

from experiments.analysis import published
from experiments.analysis.scorecard import Claim, Own, scorecard
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import plain_table

EXPERIMENTS = ("strong_scaling", "weak_scaling", "diagnosis", "interference")
NOTE = (
    "Confirmed or refuted: the 95 % interval lies on one side of the claim's limit. P_1 and P_2 are close "
    "within 15 %; not saving is faster from 5 % on; a speedup is saturated where twice the workers give "
    "less than 10 %."
)
SLIPS = "Printed speedups and efficiencies that contradict the printed seconds, beyond their rounding."


@section(
    "scorecard",
    chapter="The study's claims, tried here",
    words="Each claim of the published study as a test on these results.",
    order=100,
    source=Path("trials/strong_scaling"),
)
def claims(results: Results) -> Outputs:
    """A verdict on each claim, and the slips of the printed tables."""
    every = {name: results.beside(name) for name in EXPERIMENTS}
    own = Own(
        {name: each.trials for name, each in every.items()},
        {name: each.parts for name, each in every.items()},
    )
    data = pd.DataFrame(scorecard(own), columns=Claim._fields)
    yield "scorecard", [plain_table("The study's claims", data, [NOTE])]
    slips = published.slips()
    yield "slips", [plain_table("Slips of the printed tables", slips, [SLIPS])]
