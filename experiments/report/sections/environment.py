"""The environment of the newest trial, and the warnings of all trials."""

import json

import pandas as pd

from experiments.analysis.select import require
from experiments.report.results import Results
from experiments.report.sections import ANY, Outputs, section
from experiments.report.tables import plain_table


@section(ANY, chapter="The machine", order=20)
def environment(results: Results) -> Outputs:
    """Yield the environment of the newest trial."""
    require(results.trials)
    newest = results.trials.sort_values("started_at").iloc[-1]
    data = pd.DataFrame(json.loads(newest["environment"]).items(), columns=["item", "value"])
    yield "environment", plain_table("Experimental environment", data)


@section(ANY, chapter="Warnings", order=110)
def warnings(results: Results) -> Outputs:
    """Yield how many trials have each warning."""
    lines = results.trials["warnings"].dropna().str.split("\n").explode()
    if len(lines):
        counts = lines.str.replace(r"\d+(\.\d+)?( %)", r"…\2", regex=True).value_counts()
        data = counts.rename_axis("warning").reset_index(name="trials")
        yield "warnings", plain_table(f"Warnings of the trials of {results.experiment}", data)
