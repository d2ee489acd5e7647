"""The bench: every strategy relative to the ceiling, on every workload."""

from math import prod
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.scaling import WORKLOAD, bench_points, strategies
from experiments.analysis.select import NoTrialsError
from experiments.report.charts import GREY, Chart, errorbars, legend, look, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, by_place, interval_of, text_table
from experiments.report.texts import (
    DASH,
    label,
    left_out_note,
    percent_interval,
    with_interval,
    with_or_without,
)
from experiments.store.columns import OK

NOTE = (
    "Of the ceiling: time of `copies` under the same runtime / time of the strategy. Above 100 %, the "
    "strategy does less work than the copies, or the machine changed."
)
MARKERS = "osD^v"  # of image sizes


@section(
    "bench",
    chapter="The bench",
    words="The study's strategies, this suite's and the executors of other projects, against the ceiling.",
    order=45,
)
def bench(results: Results) -> Outputs:
    """Yield the share of the ceiling that every strategy reaches on every workload."""
    points, left_out = bench_points(results.trials, results.parts)
    yield "table", engine_table(points, [NOTE, *map(left_out_note, left_out)])
    measured = points.dropna(subset="ceiling_share")
    if measured.empty:
        raise NoTrialsError("no share of the ceiling: copies were not measured; run `make bench`")
    yield "ceiling_share", Chart(engine_figure(measured, "Share of the machine's ceiling"), measured)


def engine_table(points: pd.DataFrame, notes: list[str]) -> Table:
    """Return a row per point, the strategies of a workload together."""
    ordered = by_place(points).sort_values([*WORKLOAD, "runtime_name"], kind="stable")
    size = ordered["width"].map("{:.0f}x".format) + ordered["height"].map("{:.0f}".format)
    ordered = ordered.assign(size=size, runtime=ordered["runtime_name"])
    texts = {
        "images/s": _rate,
        "of the ceiling": lambda row: percent_interval(*interval_of(row, "ceiling_share")),
        "peak memory (MB)": lambda row: f"{row['peak_rss_bytes'] / 1e6:.0f}" if row["status"] == OK else DASH,
    }
    reasons = points[points["status"] != OK].drop_duplicates(["strategy", "error"])
    lines = [f"{label(row['strategy'])}: {row['error']}." for row in reasons.to_dict("records")]
    columns = ["pipeline", "size", "saving", "strategy", "workers", "runtime"]
    return text_table("Every strategy on every workload", ordered, columns, texts, [*lines, *notes])


def _rate(row: Any) -> str:
    if row["status"] == OK:
        return with_interval(*interval_of(row, "images_per_s"), ".0f")
    return str(row["status"]).replace("_", " ")


@styled
def engine_figure(points: pd.DataFrame, title: str) -> Figure:
    """Draw a panel per pipeline and saving flag, with a row per strategy and a mark per image size.

    Marks are hollow for every runtime but the first.
    """
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
    faces = ["white" if number else None for number in range(len(runtimes))]
    for row in block.to_dict("records"):
        rank, runtime = sizes.index((row["width"], row["height"])), runtimes.index(row["runtime_name"])
        at = names.index(row["strategy"]) + 0.5 * ((rank + 0.5) / len(sizes) - 0.5) + 0.11 * runtime
        style: Any = {"marker": MARKERS[rank % len(MARKERS)], "markerfacecolor": faces[runtime]}
        style |= {"color": look(row["strategy"])["color"], "capsize": 2, "markersize": 5}
        shares = [[100 * end] for end in interval_of(row, "ceiling_share")]
        errorbars(axes, [at], shares, is_horizontal=True, **style)
    for rank, (width, height) in enumerate(sizes):
        axes.plot([], [], MARKERS[rank % len(MARKERS)], color=GREY, label=f"{width:.0f}x{height:.0f}")
    for name, face in zip(runtimes, faces, strict=True):
        fill = "hollow" if face else "filled"
        axes.plot([], [], "o", color=GREY, markerfacecolor=face, label=f"{fill}: runtime={name}")
    axes.axvline(100, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), [label(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
