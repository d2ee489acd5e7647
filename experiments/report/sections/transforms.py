"""Which transforms scale and which do not (see `analysis.transforms`)."""

from collections.abc import Sequence
from math import ceil

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from augment.strategies.sequential import Sequential
from experiments.analysis.scaling import NoTrialsError
from experiments.analysis.text import label, percent, with_or_without
from experiments.analysis.transforms import transform_inflations
from experiments.report.sections import Outputs, Results, cpus_of, section
from experiments.report.style import (
    GREY,
    IDEAL,
    MIN_WIDTH,
    SHARED,
    curves,
    legend,
    panels,
    styled,
    worker_axis,
)
from experiments.report.tables import Table, by_place, by_saving, plain_table, side_by_side

ACROSS, PANEL_WIDTH, PANEL_HEIGHT = 4, 1.9, 1.55  # panels in a row; inches
BY_THE_CLOCK = (
    "Seconds of a call by the clock over those of the same tasks in the sequential reference; beyond "
    "the CPUs P / CPUs is what sharing them forces. 95 % intervals: in the CSV file and the chart."
)
ELSEWHERE = "{} of the transform stage is in no transform: building them anew for every task, and groups."


@section("strong_scaling")
def transforms(results: Results) -> Outputs:
    """The transforms of the pipeline, by what they cost the reference."""
    trials, notes = results.selected()
    inflations = transform_inflations(trials, results.parts)
    if inflations.empty:
        raise NoTrialsError("no transforms were timed (trace=true), or no sequential reference")
    title = f"{results.title}: transforms"
    yield "transforms", [_table(block, f"{title}, {flag}", notes) for flag, block in by_saving(inflations)]
    yield "transforms", transforms_figure(inflations, title, cpus_of(trials))


def _table(inflations: pd.DataFrame, title: str, notes: Sequence[str]) -> Table:
    """The inflation of every transform at every point, the dearest first."""
    reference = _reference(inflations)
    several = by_place(inflations[inflations["strategy"] != Sequential.name])
    heads = several["strategy"].map(label) + "\nP = " + several["workers"].astype(str)
    long = several.assign(head=heads, text=several["inflation"].map("{:.2f}".format))
    shown = side_by_side(long, reference.index)
    shares = {
        "reference\ncalls": reference["calls"].map("{:.0f}".format),
        "reference\nms per call": (1e3 * reference["reference_call_s"]).map("{:.3g}".format),
        "reference\nof the stage": reference["reference_share"].map(lambda share: percent(share, 1)),
    }
    for place, (head, texts) in enumerate(shares.items(), start=1):
        shown.insert(place, head, texts.to_numpy())
    elsewhere = ELSEWHERE.format(percent(1 - reference["reference_share"].sum()))
    return plain_table(title, inflations, [BY_THE_CLOCK, elsewhere, *notes], shown)


def _reference(inflations: pd.DataFrame) -> pd.DataFrame:
    """The reference's rows by transform, the largest total first."""
    reference = inflations[inflations["strategy"] == Sequential.name].set_index("transform")
    return reference.sort_values("reference_share", ascending=False)


@styled
def transforms_figure(inflations: pd.DataFrame, title: str, cpus: int) -> Figure:
    """A panel per transform, the dearest first: its inflation against workers. Without saving if that
    was measured, where nothing but the transforms is at work."""
    saving = bool(inflations["saving"].min())
    shown = inflations[inflations["saving"] == saving]
    reference = _reference(shown)
    across, down = min(ACROSS, len(reference)), ceil(len(reference) / ACROSS)
    size = (max(MIN_WIDTH, 0.5 + PANEL_WIDTH * across), 1.5 + PANEL_HEIGHT * down)
    heading = f"{title}, {with_or_without(saving)}"
    figure, grid = panels(heading, size, down, across, sharex=True, sharey=True)
    several = shown[shown["strategy"] != Sequential.name]
    for axes, (name, row) in zip(grid, reference.iterrows(), strict=False):
        cost = f"{1e3 * row['reference_call_s']:.3g} ms, {percent(row['reference_share'], 1)} of the stage"
        axes.set_title(f"{name}\n{cost}", fontsize=8)
        _panel(axes, several[several["transform"] == name], set(several["workers"]), cpus)
    for axes in grid[len(reference) :]:
        axes.remove()
    for axes in figure.axes[-across:]:  # the lowest of each column
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("workers")
    figure.supylabel("time of a call / the reference's", fontsize=10)
    legend(figure)
    return figure


def _panel(axes: Axes, inflations: pd.DataFrame, counts: set[int], cpus: int) -> None:
    points = inflations.rename(columns={"low": "inflation_min", "high": "inflation_max"})
    curves(axes, points, "inflation", linewidth=1.3, markersize=4, capsize=2)
    axes.axhline(1, color=GREY, linewidth=1, label=IDEAL)
    forced = [max(1.0, count / cpus) for count in sorted(counts)]
    axes.plot(sorted(counts), forced, color=GREY, linewidth=1, linestyle=":", label=SHARED)
    axes.set_yscale("log", base=2)
    axes.margins(x=0.08)
    worker_axis(axes, counts, None)
    axes.set_xlabel("")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
