"""The experimental environment, as the study lists it, and the warnings in the rows."""

import json

import pandas as pd

from experiments.analysis.scaling import require
from experiments.report.results import Results
from experiments.report.sections import ANY, Outputs, section
from experiments.report.tables import plain_table


@section(ANY, chapter="The machine", order=20)
def environment(results: Results) -> Outputs:
    """Yield the environment of the newest trial."""
    require(results.trials)
    newest = results.trials.sort_values("started_at").iloc[-1]
    data = pd.DataFrame(json.loads(newest["environment"]).items(), columns=["item", "value"])
    yield "environment", [plain_table("Experimental environment", data)]


@section(ANY, chapter="What the rows warn of", order=110)
def warnings(results: Results) -> Outputs:
    """Yield how many trials have each warning."""
    warned = results.trials["warnings"].dropna().str.split("\n").explode()
    if len(warned):
        counts = warned.str.replace(r"\d+(\.\d+)?( %)", r"…\2", regex=True).value_counts()
        data = counts.rename_axis("warning").reset_index(name="trials")
        yield "warnings", [plain_table(f"Warnings in the rows of {results.experiment}", data)]
