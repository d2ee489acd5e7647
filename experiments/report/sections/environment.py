"""The experimental environment, as the study lists it."""

import json

import pandas as pd

from experiments.report.sections import ANY, Outputs, Results, section
from experiments.report.tables import plain_table


@section(ANY)
def environment(results: Results) -> Outputs:
    """That of the newest trial."""
    newest = results.trials.sort_values("started_at").iloc[-1]
    items = list(json.loads(newest["environment"]).items())
    data = pd.DataFrame(items, columns=["item", "value"])
    yield "environment", [plain_table("Experimental environment", data)]
