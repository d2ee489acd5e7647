"""Strong and weak scaling: what is measured against workers."""

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augment.strategies.instruments.copies import Copies
from augment.strategies.instruments.interference import Interference
from augment.strategies.sequential import Sequential
from experiments.analysis import published
from experiments.analysis.ceiling import with_model_seconds
from experiments.analysis.select import STRONG
from experiments.report import charts, tables, texts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section

CHARTS = {
    "strong_scaling": ("speedup", "Strong scaling: speedup over one process"),
    "weak_scaling": ("efficiency", "Weak scaling: efficiency while images grow with the workers"),
}
TIMES = ("wall_s", "images_per_s", "peak_rss_bytes", "saving_ratio", "ceiling_share")
RATIOS = ("sequential_s", "speedup", "efficiency", "normalised_efficiency", "serial_fraction")
NOTES = {  # of measures
    "peak_rss_bytes": "memory: sum of the processes' peaks; shared pages count in each.",
    "saving_ratio": "saving / not: time with saving / time without.",
    "ceiling_share": "of the ceiling: time of `copies`, as many busy copies of the program / this time.",
    "normalised_efficiency": "normalised: sequential time at the same image size / (workers x time).",
    "serial_fraction": "serial fraction: (1/S - 1/P) / (1 - 1/P), Karp and Flatt 1990, S the speedup with P "
    "workers.",
}
LAYOUT_NOTES = [
    f"Seconds are those of {published.TASKS:,} augmented images, as in the study; those of trials of other "
    "numbers are scaled. Speedup and efficiency are relative to one process, saving alike.",
    "study: T. Botarelli 2025, 2 x Intel Xeon Silver 4314, recomputed from the printed seconds, each the "
    "mean of 2 executions whose spread is not printed.",
]


@section("strong_scaling", chapter="Strong scaling", order=30)
@section("weak_scaling", chapter="Weak scaling", order=50)
def scaling(results: Results) -> Outputs:
    """Yield charts of the points over those of the study, and their tables."""
    to_points, axes = published.POINTS[results.experiment]
    selected, notes = results.selected(axes)
    trials = with_model_seconds(selected[selected["strategy"] != Interference.name], results.parts)
    points, study = to_points(trials), published.points(results.experiment)
    cpus, caption = int(trials["usable_cpus"].iloc[0]), texts.caption(trials)
    measure, title = CHARTS[results.experiment]
    if points[measure].notna().any():
        yield measure, charts.Chart(scaling_figure(measure, points, study, cpus), points, title, caption)
    if measure == "speedup" and points["wall_s"].notna().any():
        title = "Strong scaling: images per second, and the memory for them"
        yield "rate", charts.Chart(charts.rate_figure(points, cpus), points, title, caption)
    yield from study_tables(points, results.experiment, results.title)
    every_note = [*tables.repetition_notes(tables.applicable(points)[0]), *notes]
    yield "table", scaling_table(points, results.title, TIMES, every_note)
    if points.filter(RATIOS).notna().any(axis=None):
        within = points[points["workers"] <= cpus]  # beyond, ratios hold the lack of CPUs as well
        title = f"{results.title} up to the CPUs, relative to one process"
        yield "ratios", scaling_table(within, title, RATIOS, [tables.INTERVALS])


def scaling_table(
    points: pd.DataFrame, title: str, names: Sequence[str], notes: Sequence[str] = ()
) -> tables.Table:
    """Return a row per point with the measures of these names, as far as any is known; times always are."""
    shown, lacking = tables.applicable(points)
    counts, counted = tables.counts(shown)
    known = [name for name in names if name == "wall_s" or (name in points and points[name].notna().any())]
    columns: Any = {"image size": _size} if "width" in points else {}
    columns |= tables.measure_columns(known)
    every_note = [*counted, *lacking, *(NOTES[name] for name in known if name in NOTES), *notes]
    return tables.text_table(title, shown, [*STRONG, *counts], columns, every_note)


def _size(point: Any) -> str:
    return f"{point['width']}x{point['height']}"


def study_tables(points: pd.DataFrame, experiment: str, title: str) -> Iterator[tuple[str, tables.Table]]:
    """Yield the points with saving, and those without, in the study's layout beside its own."""
    rows = published.layout(points, experiment)
    for flag, block in tables.by_saving(rows[rows["saving"].isin(points["saving"])]).items():
        columns: Any = {"image size": _size} if "width" in block else {}
        columns["ideal (s)"] = lambda row: texts.written(row["ideal_s"])
        for name in block.dropna(axis="columns", how="all").columns.intersection(published.COLUMNS):
            strategy, _, measure = name.partition("_")
            head = f"{texts.label(strategy)}\n{tables.MEASURES[measure].head}"
            write = tables.MEASURES[measure].text
            columns[head] = lambda row, name=name, write=write: write(row[name], nan, nan)
        whole = f"{title}, {flag}, in the layout of the study"
        table = tables.text_table(whole, block, ["workers", "source"], columns, LAYOUT_NOTES)
        yield f"study_{flag.replace(' ', '_')}", table


@charts.styled
def scaling_figure(measure: str, points: pd.DataFrame, study: pd.DataFrame, cpus: int) -> Figure:
    """Draw a ratio of points against workers, over the points of the study; the ideal line may leave."""
    points, study = points.dropna(subset=measure), study.dropna(subset=measure)
    blocks = tables.by_saving(points)
    figure = Figure(figsize=(charts.WIDTH_INCHES, 4.1), layout="constrained")
    row = figure.subplots(1, len(blocks), squeeze=False, sharey=True).flat
    for axes, (flag, block) in zip(row, blocks.items(), strict=True):
        axes.set_title(flag)
        _draw_study(axes, measure, study[study["saving"] == block["saving"].iloc[0]])
        counts = sorted({*block["workers"]})
        ideal = counts if measure == "speedup" else [1] * len(counts)
        axes.plot(counts, ideal, color=charts.GREY, linewidth=1, label=charts.IDEAL, zorder=1)
        charts.curves(axes, block[block["strategy"] != Copies.name], measure)
        charts.ceiling(axes, block, measure)
        charts.worker_axis(axes, {*points["workers"], *study["workers"]}, cpus)
        axes.label_outer()
    charts.measure_axis(figure.axes[0], measure, max(points[measure].max(), study[measure].max()))
    charts.legend(figure)
    return figure


def _draw_study(axes: Axes, measure: str, study: pd.DataFrame) -> None:
    dashed: Any = {"linestyle": (0, (2, 2)), "linewidth": 0.9, "marker": ".", "markersize": 4}
    for name, curve in study.groupby("strategy"):
        axes.plot(curve["workers"], curve[measure], color=charts.look(str(name))["color"], **dashed)
    if set(study["strategy"]) - {Sequential.name}:  # a single point is no curve
        axes.plot([], [], color=charts.GREY, label=charts.PUBLISHED, **dashed)
