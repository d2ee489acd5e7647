"""The bench: every strategy relative to the ceiling, on every workload."""

from functools import partial

from experiments.analysis.scaling import WORKLOAD, bench_points
from experiments.report import texts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import NOW, Columns, by_place, measure_text, text_table
from experiments.store.columns import OK

NOTE = (
    "Of the ceiling: time of `copies` under the same runtime / time of the strategy. Above 100 %, the "
    "strategy does less work than the copies, or the machine changed."
)


@section(
    "bench",
    chapter="The bench",
    words="The study's strategies, this suite's and the executors of other projects, against the ceiling.",
    order=40,
)
def bench(results: Results) -> Outputs:
    """Yield a row per point, the strategies of a workload together."""
    points, left_out = bench_points(results.trials, results.parts)
    ordered = by_place(points).sort_values([*WORKLOAD, "runtime_name"], kind="stable")
    sizes = ordered["width"].map("{:.0f}x".format) + ordered["height"].map("{:.0f}".format)
    ordered = ordered.assign(size=sizes, runtime=ordered["runtime_name"])
    columns: Columns = {
        "images/s": partial(measure_text, name="images_per_s"),
        "of the ceiling": partial(measure_text, name="ceiling_share"),
        "peak memory (MB)": lambda row: texts.written(row["peak_rss_bytes"] / 1e6),
    }
    reasons = points[points["status"] != OK].drop_duplicates(["strategy", "error"])
    notes = [f"{texts.label(row['strategy'])}: {row['error']}." for row in reasons.to_dict("records")]
    notes += [NOTE, NOW, *map(texts.left_out_note, left_out)]
    keys = ["pipeline", "size", "saving", "strategy", "workers", "runtime"]
    yield "table", text_table("Every strategy on every workload", ordered, keys, columns, notes)
