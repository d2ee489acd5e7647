"""The bench: every strategy relative to the ceiling, on every workload."""

from typing import Any

import pandas as pd

from experiments.analysis.scaling import WORKLOAD, bench_points
from experiments.analysis.select import NoTrialsError
from experiments.analysis.statistics import interval_columns
from experiments.report import texts
from experiments.report.charts import Chart, dot_figure
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, by_place, interval_of, text_table
from experiments.store.columns import OK

NOTE = (
    "Of the ceiling: time of `copies` under the same runtime / time of the strategy. Above 100 %, the "
    "strategy does less work than the copies, or the machine changed."
)


@section(
    "bench",
    chapter="The bench",
    words="The study's strategies, this suite's and the executors of other projects, against the ceiling.",
    order=45,
)
def bench(results: Results) -> Outputs:
    """Yield the share of the ceiling that every strategy reaches on every workload."""
    points, left_out = bench_points(results.trials, results.parts)
    yield "table", engine_table(points, [NOTE, *map(texts.left_out_note, left_out)])
    if points["ceiling_share"].isna().all():
        raise NoTrialsError("no share of the ceiling: copies were not measured; run `make bench`")
    for pipeline, block in points.groupby("pipeline"):
        ordered = block.sort_values(["runtime_name", "width", "height"])
        panels = "runtime=" + ordered["runtime_name"] + ", " + ordered["saving"].map(texts.with_or_without)
        title = f"Share of the machine's ceiling, pipeline={pipeline}"
        yield f"ceiling_share_{pipeline}", ceiling_chart(title, ordered, panels, image_size(ordered))


def ceiling_chart(
    title: str, points: pd.DataFrame, panels: "pd.Series[str]", marks: "pd.Series[str]"
) -> Chart:
    """Return the shares of the ceiling, with a row per strategy."""
    shares = by_place(points.assign(panel=panels, mark=marks).dropna(subset="ceiling_share"))
    places = shares[["panel", "mark"]].assign(row=shares["strategy"].map(texts.label))
    percents = 100 * shares[interval_columns("ceiling_share")]
    return Chart(dot_figure(title, places, percents, "share of the ceiling (%), 95 % interval", 100), shares)


def engine_table(points: pd.DataFrame, notes: list[str]) -> Table:
    """Return a row per point, the strategies of a workload together."""
    ordered = by_place(points).sort_values([*WORKLOAD, "runtime_name"], kind="stable")
    ordered = ordered.assign(size=image_size(ordered), runtime=ordered["runtime_name"])
    columns = {
        "images/s": _rate,
        "of the ceiling": lambda row: texts.percent_interval(*interval_of(row, "ceiling_share")),
        "peak memory (MB)": lambda row: texts.written(row["peak_rss_bytes"] / 1e6, ".0f"),
    }
    reasons = points[points["status"] != OK].drop_duplicates(["strategy", "error"])
    lines = [f"{texts.label(row['strategy'])}: {row['error']}." for row in reasons.to_dict("records")]
    keys = ["pipeline", "size", "saving", "strategy", "workers", "runtime"]
    return text_table("Every strategy on every workload", ordered, keys, columns, [*lines, *notes])


def image_size(points: pd.DataFrame) -> "pd.Series[str]":
    """Return the image size of each point as `2000x1000`."""
    return points["width"].map("{:.0f}x".format) + points["height"].map("{:.0f}".format)


def _rate(row: Any) -> str:
    if row["status"] == OK:
        return texts.with_interval(*interval_of(row, "images_per_s"), ".0f")
    return str(row["status"]).replace("_", " ")
