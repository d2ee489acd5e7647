"""The experimental environment, as the study lists it."""

import json

import pandas as pd

from experiments.report.results import Results
from experiments.report.sections import ANY, Outputs, section
from experiments.report.tables import plain_table


@section(ANY)
def environment(results: Results) -> Outputs:
    """That of the newest trial."""
    newest = results.trials.sort_values("started_at").iloc[-1]
    data = pd.DataFrame(json.loads(newest["environment"]).items(), columns=["item", "value"])
    yield "environment", [plain_table("Experimental environment", data)]
