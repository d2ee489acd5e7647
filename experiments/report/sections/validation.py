"""The comparison of every strategy's outputs with those of `sequential`."""

from collections.abc import Sequence

import pandas as pd

from augment.strategies.sequential import Sequential
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, plain_table
from experiments.store.columns import OK

NO_REFERENCE = "Nothing to compare with: sequential wrote no files, or different ones in two trials."


@section(
    "validation",
    chapter="Validation",
    words="Real photos, augmented by every strategy. All outputs must be equal byte for byte.",
    order=90,
)
def validation(results: Results) -> Outputs:
    """Yield the comparison."""
    yield "table", validation_table(*results.selected())


def validation_table(trials: pd.DataFrame, notes: Sequence[str]) -> Table:
    """Return whether each strategy wrote the files of `sequential`, byte for byte."""
    columns = ["strategy", "workers", "status", "outputs", "outputs_digest"]
    data = trials[columns].drop_duplicates().sort_values(columns[:2]).astype({"outputs": "Int64"})
    sequential = (data["strategy"] == Sequential.name) & (data["status"] == OK)
    reference = data.loc[sequential, "outputs_digest"].dropna()
    same = data["outputs_digest"].isin(reference).astype("boolean")
    data["identical to sequential"] = same.where(data["outputs_digest"].notna() & (len(reference) == 1))
    remarks = [] if len(reference) == 1 else [NO_REFERENCE]
    return plain_table("Validation", data, [*remarks, *notes])
