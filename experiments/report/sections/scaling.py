"""Strong and weak scaling: what is measured against workers, and the laws of Amdahl and Gunther (USL)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis import published
from experiments.analysis.laws import MIN_COUNTS, QUANTITIES, fit_laws
from experiments.analysis.scaling import strategies
from experiments.analysis.select import STRONG, NoTrialsError
from experiments.report import charts, tables, texts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section

CHARTS = {
    "strong_scaling": ("speedup", "images_per_s"),
    "weak_scaling": ("efficiency", "normalised_efficiency"),
}
TITLES = {
    "speedup": "Strong scaling: speedup over one process",
    "images_per_s": "Strong scaling: rate of augmentation",
    "efficiency": "Weak scaling: efficiency while images grow with the workers",
    "normalised_efficiency": "Weak scaling: efficiency for images of equal size",
}
NORMALISED = "normalised: sequential time at the same image size / (workers x time)."
CEILING = "of the ceiling: time of `copies`, as many busy copies of the program / this time."
LAW_NOTES = [
    "Amdahl 1967: 1/S = 1/P + s (1 - 1/P). USL, Gunther 1993: 1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1). "
    "A peak at ∞ workers is a limit.",
    f"Off by: root mean square of the relative residuals. A fit needs {MIN_COUNTS} worker counts from 2 to "
    "the usable CPUs; they stand in the column of workers.",
]


@section(
    "strong_scaling",
    chapter="Strong scaling",
    words="The same work on more workers. Speedup S(P) = T(1) / T(P), efficiency S(P) / P. The ceiling is "
    "the rate of P busy copies of the program, which only less work than theirs can beat. Dashed: the study.",
    order=30,
)
@section(
    "weak_scaling",
    chapter="Weak scaling",
    words="Pixels in proportion to workers. The study's efficiency T(1) / T(P) compares a small image on one "
    "worker with a large one on many. It may exceed 100 %, because a task has costs beside its pixels. The "
    "work-normalised efficiency does not: sequential time at the same size / (P T(P)).",
    order=50,
)
def scaling(results: Results) -> Outputs:
    """Yield charts of the points over those of the study, and their tables."""
    to_points, axes = published.POINTS[results.experiment]
    trials, notes = results.selected(axes)
    points = to_points(trials)
    study, cpus = published.points(results.experiment), int(trials["usable_cpus"].iloc[0])
    for measure in (name for name in CHARTS[results.experiment] if points[name].notna().any()):
        figure = scaling_figure(measure, points, study, cpus)
        yield measure, charts.Chart(figure, points, TITLES[measure], texts.caption(trials))
    yield "table", scaling_table(points, results.title, notes)


def scaling_table(points: pd.DataFrame, title: str, notes: Sequence[str] = ()) -> tables.Table:
    """Return a row per point with all that is known of its time."""
    is_weak, has_ceiling = "sequential_s" in points, points["ceiling_share"].notna().any()
    columns: dict[str, Callable[[Any], str]] = {}
    if is_weak:
        columns["image size"] = lambda point: f"{point['width']}x{point['height']}"
        columns["sequential (s)"] = lambda point: tables.value_text(point["sequential_s"])
    columns["ideal (s)"] = lambda point: tables.value_text(point["ideal_s"])
    names = [name for name in tables.MEASURES if name in points and (name != "ceiling_share" or has_ceiling)]
    columns |= {tables.MEASURES[name].head: partial(tables.measure_text, name=name) for name in names}
    every_note = [*tables.repetition_notes(points), *([NORMALISED] if is_weak else []), *notes]
    every_note += [CEILING] if has_ceiling else []
    return tables.text_table(title, tables.by_place(points), STRONG, columns, every_note)


@charts.styled
def scaling_figure(measure: str, points: pd.DataFrame, study: pd.DataFrame, cpus: int) -> Figure:
    """Draw a measure of points against workers, over the points of the study.

    A line marks the CPUs of the machine.
    """
    blocks = tables.by_saving(points.dropna(subset=measure))
    size = max(charts.MIN_WIDTH_INCHES, 0.4 + 3.5 * len(blocks)), 4.1
    figure = Figure(figsize=size, layout="constrained")
    row = figure.subplots(1, len(blocks), squeeze=False, sharey=True).flat
    study = study.dropna(subset=measure)
    for axes, (flag, block) in zip(row, blocks.items(), strict=True):
        axes.set_title(flag, fontsize=10)
        _draw_study(axes, measure, study[study["saving"] == block["saving"].iloc[0]])
        ideal = block.groupby("workers")["ideal_s"].max()
        if measure == "images_per_s":
            ideal = block["tasks"].max() / ideal
        else:
            ideal[:] = ideal.index if measure == "speedup" else 1.0
        axes.plot(ideal.index, ideal, color=charts.GREY, linewidth=1, label=charts.IDEAL, zorder=1)
        charts.curves(axes, block, measure)
        _draw_ceiling(axes, block, measure)
        charts.worker_axis(axes, {*points["workers"], *study["workers"]}, cpus)
    charts.measure_axis(figure, measure)
    charts.legend(figure)
    return figure


def _draw_ceiling(axes: Axes, block: pd.DataFrame, measure: str) -> None:
    """Draw the rate of the most copies as a level line up to the most workers."""
    copies = block[block["strategy"] == Copies.name].sort_values("workers")
    if len(copies) and measure in CHARTS["strong_scaling"]:
        counts, level = [copies["workers"].max(), block["workers"].max()], copies[measure].iloc[-1]
        color = charts.look(Copies.name)["color"]
        axes.plot(counts, [level, level], ":", color=color, linewidth=1.8, label=charts.CEILING)


def _draw_study(axes: Axes, measure: str, study: pd.DataFrame) -> None:
    dashed: Any = {"linestyle": "--", "linewidth": 1.1, "marker": ".", "markersize": 4}
    for name in strategies(study):
        points = study[study["strategy"] == name]
        color = charts.look(name)["color"]
        axes.plot(points["workers"], points[measure], color=color, alpha=0.5, **dashed)
    if set(study["strategy"]) - {Sequential.name}:  # a single point is no curve
        axes.plot([], [], color=charts.GREY, label=charts.PUBLISHED, **dashed)


@section("strong_scaling", chapter="Strong scaling", order=31)
def laws(results: Results) -> Outputs:
    """Yield the fitted laws. Raises NoTrialsError if the usable CPUs hold too few worker counts."""
    trials, _ = results.selected()
    cpus = int(trials["usable_cpus"].iloc[0])
    fitted = fit_laws(trials, cpus)
    if fitted.empty:
        raise NoTrialsError(f"a law needs {MIN_COUNTS} worker counts from 2 to the {cpus} usable CPUs")
    yield "laws", laws_table(fitted, f"{results.title}, laws")


def laws_table(fitted: pd.DataFrame, title: str) -> tables.Table:
    """Return a row per strategy with the quantities of each law."""
    columns = {name.replace("_", "\n", 1).replace("_", " "): _law_text(name) for name in QUANTITIES}
    return tables.text_table(title, tables.by_place(fitted), STRONG, columns, LAW_NOTES)


def _law_text(name: str) -> Callable[[Any], str]:
    if name.endswith("off_by"):
        return lambda row: texts.percent(row[name])
    return lambda row: texts.written(row[name])
