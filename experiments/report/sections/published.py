"""The study's tables, recomputed from its seconds, with its slips in their footnotes, and the laws that
its seconds follow."""

from experiments.analysis import published
from experiments.analysis.laws import cases
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.laws import laws_of
from experiments.report.sections.scaling import scaling_tables

SLIP = "slip: {quantity} of {strategy} at {workers} workers, printed {printed:.2f}; right is {right:.2f}."
RECOMPUTED = "Recomputed from the printed seconds, each the mean of 2 executions whose spread is not printed."


@section(
    "published", chapter="The study's tables, recomputed from its seconds", order=105, source=published.FOLDER
)
def study(results: Results) -> Outputs:
    """The study's strong and weak scaling."""
    slips = published.slips()
    for experiment in published.POINTS:
        points = published.points(experiment)
        title = f"Published {experiment.replace('_', ' ')}"
        tables = scaling_tables(points, f"{title} ({published.SOURCE})", [RECOMPUTED])
        for table in tables:
            here = (slips["experiment"] == experiment) & (slips["saving"] == table.data["saving"].iloc[0])
            table.notes.extend(SLIP.format(**slip) for slip in slips[here].to_dict("records"))
        yield experiment, tables
        yield from laws_of(cases(points, published.models(experiment)), title, f"{experiment}_laws")
