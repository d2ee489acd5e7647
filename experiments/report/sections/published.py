"""The study's tables, recomputed from its seconds, with its slips in their footnotes, and the laws that
its seconds follow."""

from experiments.analysis import published
from experiments.report.sections import Outputs, Results, section
from experiments.report.sections.laws import laws_of
from experiments.report.sections.scaling import scaling_tables

RECOMPUTED = "Recomputed from the printed seconds, each the mean of 2 executions whose spread is not printed."


@section("published", source=published.FOLDER)
def study(results: Results) -> Outputs:
    """The study's strong and weak scaling."""
    slips = published.slips()
    for experiment in published.POINTS:
        points = published.points(experiment)
        title = f"Published {experiment.replace('_', ' ')}"
        tables = scaling_tables(points, f"{title} ({published.SOURCE})", [RECOMPUTED])
        for table in tables:
            block = (experiment, bool(table.data["saving"].iloc[0]))
            table.notes.extend(slip.sentence() for slip in slips if (slip.experiment, slip.saving) == block)
        yield experiment, tables
        yield from laws_of(points, published.models(experiment), title, stem=f"{experiment}_laws")
