"""The published study: its tables recomputed from its seconds, and its claims tested on the results."""

from pathlib import Path

import pandas as pd

from experiments.analysis import published
from experiments.analysis.laws import cases
from experiments.analysis.scorecard import Claim, Own, scorecard
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.laws import laws_of
from experiments.report.sections.scaling import scaling_tables
from experiments.report.tables import plain_table

SLIP = "slip: {quantity} of {strategy} at {workers} workers, printed {printed:.2f}; right is {right:.2f}."
RECOMPUTED = "Recomputed from the printed seconds, each the mean of 2 executions whose spread is not printed."
TESTED_EXPERIMENTS = ("strong_scaling", "weak_scaling", "diagnose", "interference")
CLAIM_NOTE = (
    "Confirmed or refuted: the 95 % interval lies on one side of the claim's limit. P_1 and P_2 are close "
    "within 15 %. Not saving is faster from 5 % on. A speedup is saturated if twice the workers give less "
    "than 10 %."
)


@section(
    "published", chapter="The study's tables, recomputed from its seconds", order=105, source=published.FOLDER
)
def study(results: Results) -> Outputs:
    """Yield the study's strong and weak scaling, with printed figures that contradict its seconds."""
    slips = published.slips()
    for experiment in published.POINTS:
        points = published.points(experiment)
        title = f"Published {experiment.replace('_', ' ')}"
        tables = scaling_tables(points, f"{title} ({published.SOURCE})", [RECOMPUTED])
        for table in tables:
            rows = slips[slips["experiment"] == experiment]
            rows = rows[rows["saving"] == table.data["saving"].iloc[0]]
            table.notes.extend(SLIP.format(**row) for row in rows.to_dict("records"))
        yield experiment, tables
        if "speedup" in points:
            yield from laws_of(cases(points, published.models(experiment)), title, f"{experiment}_laws")


@section(
    "scorecard",
    chapter="The study's claims, tested",
    words="Each claim of the published study, tested on these results.",
    order=100,
    source=Path("trials/strong_scaling"),
)
def claims(results: Results) -> Outputs:
    """Yield a verdict on each claim."""
    tested = {name: results.beside(name) for name in TESTED_EXPERIMENTS}
    trials = {name: one.trials for name, one in tested.items()}
    own = Own(trials, {name: one.parts for name, one in tested.items()})
    data = pd.DataFrame(scorecard(own), columns=Claim._fields)
    yield "scorecard", [plain_table("The study's claims", data, [CLAIM_NOTE])]
