"""Rows as they are stored: the cells of an experiment, their outputs, the machine and the warnings."""

import json

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.analysis.scaling import summarise
from experiments.analysis.select import STRONG, require
from experiments.report.results import Results
from experiments.report.sections import ANY, OTHERS, Outputs, section
from experiments.report.tables import MEASURES, measure_text, plain_table, repetition_notes
from experiments.store.columns import DETERMINING, OK

NO_REFERENCE = "Nothing to compare with: sequential wrote no files, or different ones in two trials."


@section(OTHERS)
def cells(results: Results) -> Outputs:
    """Yield every measured cell, named by the columns in which cells differ."""
    always = [*STRONG, "savers", "strategy_options"]
    others = [column.name for column in DETERMINING if column.name not in always]
    data = summarise(results.trials, [*always, *others])[0].astype({"savers": "Int64"})
    shown = data[always + [name for name in others if data[name].nunique(dropna=False) > 1]]
    for name in ("wall_s", "images_per_s"):
        shown[MEASURES[name].head] = [measure_text(point, name) for point in data.to_dict("records")]
    yield "table", plain_table(results.title, data, repetition_notes(data), shown)


@section(
    "validation",
    chapter="Validation",
    words="Real photos, augmented by every strategy. All outputs must be equal byte for byte.",
    order=90,
)
def validation(results: Results) -> Outputs:
    """Yield whether each strategy wrote the files of `sequential`, byte for byte."""
    trials, notes = results.selected()
    columns = ["strategy", "workers", "status", "outputs", "outputs_digest"]
    data = trials[columns].drop_duplicates().sort_values(columns[:2]).astype({"outputs": "Int64"})
    sequential = (data["strategy"] == Sequential.name) & (data["status"] == OK)
    reference = data.loc[sequential, "outputs_digest"].dropna()
    same = data["outputs_digest"].isin(reference).astype("boolean")
    data["identical to sequential"] = same.where(data["outputs_digest"].notna() & (len(reference) == 1))
    remarks = [] if len(reference) == 1 else [NO_REFERENCE]
    yield "table", plain_table("Validation", data, [*remarks, *notes])


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
