"""The cells of an experiment with what they differ in."""

from experiments.analysis.scaling import summarise
from experiments.analysis.select import STRONG
from experiments.report.results import Results
from experiments.report.sections import OTHERS, Outputs, section
from experiments.report.tables import MEASURES, measure_text, plain_table, repetition_notes
from experiments.store.columns import DETERMINING


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
