"""Rows as they are stored: the cells of an experiment, the machine and the warnings."""

import json

import pandas as pd

from augment.strategies.instruments.interference import Interference
from experiments.analysis.ceiling import with_model_seconds
from experiments.analysis.scaling import summarise
from experiments.analysis.select import STRONG, require
from experiments.analysis.statistics import interval_columns
from experiments.report.results import Results
from experiments.report.sections import FOLDER, Outputs, section
from experiments.report.tables import measure_columns, plain_table, repetition_notes, text_table
from experiments.store.columns import DETERMINING, NOT_APPLICABLE
from experiments.wording import pluralise

NEEDS = "Its rate needs recorded tasks, and a trial of `sequential` with the same work."


@section()
def cells(results: Results) -> Outputs:
    """Yield every measured cell, named by the columns in which cells differ."""
    always = [*STRONG, "savers", "strategy_options"]
    others = [column.name for column in DETERMINING if column.name not in always]
    timed = with_model_seconds(results.trials, results.parts)
    unknown = results.trials.drop(timed.index).assign(status=NOT_APPLICABLE)
    every = pd.concat([timed, unknown]).sort_index()
    every["savers"] = every.groupby("cell")["savers"].transform("max")  # a failed trial has none
    data = summarise(every, [*always, *others])[0].astype({"savers": "Int64"})
    data.loc[data["strategy"] == Interference.name, interval_columns("images_per_s")] = float("nan")
    keys = always + [name for name in others if data[name].nunique(dropna=False) > 1]
    columns = measure_columns(("wall_s", "images_per_s"))
    notes = repetition_notes(data)
    if len(unknown):
        notes += [f"Without times: {pluralise(len(unknown), 'trial')} of `copies`. {NEEDS}"]
    yield "table", text_table(results.title, data, keys, columns, notes)


@section(FOLDER, chapter="The machine", order=100)
def environment(results: Results) -> Outputs:
    """Yield the values of the newest trial of each experiment, equal ones once."""
    require(results.trials)
    newest = results.trials.sort_values("started_at").drop_duplicates("experiment", keep="last")[::-1]
    environments = {
        row["experiment"]: {"machine": row["machine"], "measured on": f"{row['started_at']:%Y-%m-%d}"}
        | {"commit": row["git_commit"]}
        | json.loads(row["environment"])
        for row in newest.to_dict("records")
    }
    values = pd.DataFrame.from_dict(environments, orient="index").melt(var_name="item", ignore_index=False)
    rows = values.dropna().reset_index(names="experiments")
    data = rows.groupby(["item", "value"], sort=False)["experiments"].agg(", ".join).reset_index()
    data.loc[~data["item"].duplicated(keep=False), "experiments"] = "all"
    yield "environment", plain_table("Experimental environment", data)


@section(FOLDER, chapter="Warnings", order=110)
def warnings(results: Results) -> Outputs:
    """Yield how many trials of each experiment have each warning."""
    lines = results.trials.set_index("experiment")["warnings"].dropna().str.split("\n").explode()
    if len(lines):
        warnings = lines.str.replace(r"(?<==)\d+|\d+(\.\d+)?(?= %)", "…", regex=True)
        counts = pd.crosstab(warnings.rename("warning"), warnings.index)
        yield "warnings", plain_table("Trials with warnings", counts.reset_index())
