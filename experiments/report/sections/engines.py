"""Other people's executors, the study's strategies, this suite's and the ceiling, side by side."""

from math import prod
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.engines import WORKLOAD, engine_points
from experiments.analysis.scaling import NoTrialsError, strategies
from experiments.analysis.text import label, percent_interval, with_interval, with_or_without
from experiments.report.charts import GREY, Chart, bar_lengths, legend, look, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, by_place, interval_of, plain_table
from experiments.store.columns import OK

NOTES = (
    "Of the ceiling: the time of `copies` under the same runtime over the strategy's. Above 100 %: less work "
    "than the copies do, or a machine that changed.",
)
MARKS = "osD^v"  # of runtimes


@section(
    "engines",
    chapter="The bench",
    words="The study's strategies, this suite's and other people's executors, against the ceiling.",
    order=45,
)
def engines(results: Results) -> Outputs:
    """Show what every strategy reaches of the ceiling, on every workload."""
    points, left_out = engine_points(results.trials, results.parts)
    yield "table", [engine_table(points, [*NOTES, *left_out])]
    measured = points.dropna(subset="ceiling_share")
    if measured.empty:
        raise NoTrialsError("nothing to hold against the ceiling: no copies were measured")
    yield "ceiling_share", Chart(engine_figure(measured, "Share of the machine's ceiling"), measured)


def engine_table(points: pd.DataFrame, notes: list[str]) -> Table:
    """A row per point, the strategies of a workload together."""
    ordered = by_place(points).sort_values([*WORKLOAD, "runtime_name"], kind="stable")
    rows: list[Any] = ordered.to_dict("records")
    shown = ordered[["pipeline"]].copy()
    shown["size"] = [f"{row['width']:.0f}x{row['height']:.0f}" for row in rows]
    shown = shown.assign(saving=ordered["saving"], strategy=ordered["strategy"], workers=ordered["workers"])
    shown["runtime"] = ordered["runtime_name"]
    shown["images/s"] = [_text(row, "images_per_s", ".0f") for row in rows]
    shown["of the ceiling"] = [percent_interval(*interval_of(row, "ceiling_share")) for row in rows]
    shown["peak memory (MB)"] = [
        f"{row['peak_rss_bytes'] / 1e6:.0f}" if row["status"] == OK else "-" for row in rows
    ]
    reasons = points[points["status"] != OK].drop_duplicates(["strategy", "error"])
    lines = [f"{label(row['strategy'])}: {row['error']}." for row in reasons.to_dict("records")]
    return plain_table("Every strategy on every workload", points, [*lines, *notes], shown)


def _text(row: Any, name: str, form: str) -> str:
    return (
        with_interval(*interval_of(row, name), form)
        if row["status"] == OK
        else str(row["status"]).replace("_", " ")
    )


@styled
def engine_figure(points: pd.DataFrame, title: str) -> Figure:
    """A panel per pipeline and saving flag, a row per strategy, in it a mark per size; hollow under another
    runtime than the last one."""
    blocks: list[Any] = list(points.groupby(["pipeline", "saving"]))
    names = strategies(points)
    columns = min(2, len(blocks))
    lines = -(-len(blocks) // columns)
    size = (0.8 + 3.4 * columns, 1.0 + lines * (0.9 + 0.34 * len(names)))
    figure, grid = panels(title, size, lines, columns, sharex=True, sharey=True)
    for axes, ((pipeline, saving), block) in zip(grid, blocks, strict=False):
        axes.set_title(f"{pipeline}, {with_or_without(bool(saving))}", fontsize=10)
        _panel(axes, block, names)
    for axes in grid[len(blocks) :]:
        axes.set_visible(False)
    for axes in grid[-columns:]:
        axes.set_xlabel("share of the ceiling (%), 95 % interval")
    legend(figure)
    return figure


def _panel(axes: Axes, block: pd.DataFrame, names: list[str]) -> None:
    pairs: set[Any] = set(zip(block["width"], block["height"], strict=True))
    sizes = sorted(pairs, key=prod)
    runtimes = sorted({*block["runtime_name"]})
    for row in block.to_dict("records"):
        rank = sizes.index((row["width"], row["height"]))
        offset = 0.5 * ((rank + 0.5) / len(sizes) - 0.5) + 0.11 * runtimes.index(row["runtime_name"])
        middle, low, high = (100 * value for value in interval_of(row, "ceiling_share"))
        style: Any = look(row["strategy"]) | {
            "marker": MARKS[rank % len(MARKS)],
            "capsize": 2,
            "markersize": 5,
        }
        hollow: Any = {} if row["runtime_name"] == runtimes[0] else {"markerfacecolor": "white"}
        at = names.index(row["strategy"]) + offset
        axes.errorbar([middle], [at], xerr=bar_lengths([middle], [low], [high]), **style, **hollow)
    for rank, (width, height) in enumerate(sizes):
        axes.plot([], [], MARKS[rank % len(MARKS)], color=GREY, label=f"{width:.0f}x{height:.0f}")
    for place, name in enumerate(runtimes):
        fill, face = ("filled", GREY) if place == 0 else ("hollow", "white")
        axes.plot([], [], "o", color=GREY, markerfacecolor=face, label=f"{fill}: runtime={name}")
    axes.axvline(100, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), [label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
