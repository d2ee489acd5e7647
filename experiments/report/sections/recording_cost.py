"""What recording every task costs, from pairs measured with and without it."""

from pathlib import Path

from experiments.analysis.recording_cost import overhead
from experiments.analysis.text import with_interval
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import plain_table
from experiments.store import files as store

TABLE = "recording_cost"
NOTE = (
    "In parentheses the 95 % interval, from ln time = recorded or not + pair. A pair is 256 tasks recorded "
    "and 256 not, which follow each other by turns."
)


@section("overhead", source=Path(TABLE))
def recording_cost(results: Results) -> Outputs:
    """In per cent and in microseconds a task, with and without saving, of the newest run."""
    pairs = store.read(results.folder / TABLE, TABLE)
    pairs = pairs[pairs["started_at"] == pairs["started_at"].max()]
    data = overhead(pairs)
    shown = data[["saving", "pairs"]].assign(**{"task (ms)": 1e3 * data["task_s"]})
    shares = 100 * data[["cost", "low", "high"]].to_numpy()
    shown["recording costs (%)"] = [
        with_interval(cost, low, high, ".1f") for cost, low, high in shares.tolist()
    ]
    shown["a task (us)"] = (1e6 * data["cost_s"]).map("{:.1f}".format)
    workload = "{pipeline}, {width}x{height} pixels".format(**pairs.iloc[0])
    yield "table", [plain_table(f"Recording on {workload}", data, [NOTE], shown)]
