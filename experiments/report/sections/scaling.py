"""Strong and weak scaling: time, speedup, efficiency and share of the ceiling against workers."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis import published
from experiments.analysis.scaling import public, strategies
from experiments.report import charts
from experiments.report.results import Results, cpus_of
from experiments.report.sections import Outputs, section
from experiments.report.tables import (
    MEASURES,
    Table,
    by_saving,
    measure_text,
    point_table,
    repetition_notes,
    value_text,
)
from experiments.store.columns import OK

CHARTS = ("speedup", "efficiency", "normalised_efficiency", "images_per_s", "ceiling_share", "wall_s")
NORMALISED = "normalised: sequential time at the same image size / (workers x time); - where it is unknown."
CEILING = "of the ceiling: time of `copies`, the most that so many CPUs do at the same time, over this time."


@section(
    "strong_scaling",
    chapter="Strong scaling",
    words="The same work on more workers. Speedup S(P) = T(1) / T(P), efficiency S(P) / P; the ceiling is "
    "the rate of P busy copies of the program, which no strategy can beat. Dashed: the study's.",
    order=30,
)
@section(
    "weak_scaling",
    chapter="Weak scaling",
    words="Pixels in proportion to workers. The study's efficiency T(1) / T(P) compares a small image at one "
    "worker with a large one at many: a task costs something beside its pixels, so small images are "
    "slow per pixel, and this efficiency may exceed 100 %. The work-normalised efficiency, sequential "
    "time at the same size / (P T(P)), does not.",
    order=40,
)
def scaling(results: Results) -> Outputs:
    """The points over the study's."""
    points, trials, notes = points_of(results)
    if (points["status"] == OK).any():
        study, cpus = published.points(results.experiment), cpus_of(trials)
        for measure in (name for name in CHARTS if name in points and points[name].notna().any()):
            stem = "time" if measure == "wall_s" else measure
            figure = scaling_figure(measure, points, results.title, study, cpus)
            yield stem, charts.Chart(figure, public(points))
    yield "table", scaling_tables(points, results.title, notes)


@lru_cache(maxsize=4)  # sections of one report ask for the same
def points_of(results: Results) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The points of an experiment, their trials, and lines on the trials that were left out."""
    points, axes = published.POINTS[results.experiment]
    trials, notes = results.selected(axes)
    return points(trials), trials, notes


def scaling_tables(points: pd.DataFrame, title: str, notes: Sequence[str] = ()) -> list[Table]:
    """One table for saving and one for no saving, of the points of `strong` or `weak`."""
    return [_table(block, f"{title}, {flag}", notes) for flag, block in by_saving(points)]


def _table(points: pd.DataFrame, title: str, notes: Sequence[str]) -> Table:
    weak = "sequential_s" in points
    columns: dict[str, Callable[[Any], str]] = {}
    if weak:
        columns["image size"] = lambda point: f"{value_text(point['width'])}x{value_text(point['height'])}"
        columns["sequential (s)"] = lambda point: value_text(point["sequential_s"])
    columns["ideal (s)"] = lambda point: value_text(point["ideal_s"])
    for name in MEASURES:
        if name in points and (name != "ceiling_share" or points[name].notna().any()):
            columns[MEASURES[name].head] = partial(measure_text, name=name)
    every_note = [*repetition_notes(points), *([NORMALISED] if weak else []), *notes]
    every_note += [CEILING] if points["ceiling_share"].notna().any() else []
    return point_table(title, points, columns, every_note, public(points))


@charts.styled
def scaling_figure(
    measure: str, points: pd.DataFrame, title: str, study: pd.DataFrame | None = None, cpus: int | None = None
) -> Figure:
    """A measure of the points of `strong` or `weak`, over the points of the `study`, with a line at the
    CPUs of the machine. Raises NoTrialsError if there is nothing but cells that do not apply."""
    if measure == "ceiling_share":  # up to the CPUs there is one
        points = points[points["workers"] <= points.loc[points[measure].notna(), "workers"].max()]
    figure, panels = charts.saving_panels(points, title)
    study = points.iloc[:0] if study is None else study.dropna(subset=measure)
    for axes, block in panels:
        _overlay(axes, measure, study[study["saving"] == block["saving"].iloc[0]])
        ideal = block.groupby("workers")["ideal_s"].max()
        if measure == "images_per_s":
            ideal = block["tasks"].max() / ideal
        elif measure != "wall_s":
            ideal[:] = ideal.index if measure == "speedup" else 100.0
        axes.plot(ideal.index, ideal, color=charts.GREY, linewidth=1, label=charts.IDEAL, zorder=1)
        charts.curves(axes, block, measure)
        charts.worker_axis(axes, {*points["workers"], *study["workers"]}, cpus)
    charts.scale(figure, measure)
    for axes, block in panels if measure != "ceiling_share" else ():
        _ceiling(axes, block, measure)
    charts.legend(figure)
    return figure


def _ceiling(axes: Axes, block: pd.DataFrame, measure: str) -> None:
    """What lies beyond the rate of copies, from one process on."""
    reached = block[block["strategy"].isin([Sequential.name, Copies.name])].dropna(subset=measure)
    reached = reached.sort_values("workers")
    if (reached["strategy"] == Copies.name).any() and len(reached) > 1:
        values = charts.scale_of(measure) * reached[measure]
        charts.beyond(axes, [*reached["workers"]], [*values], measure != "wall_s")


def _overlay(axes: Axes, measure: str, study: pd.DataFrame) -> None:
    dashed: Any = {"linestyle": "--", "linewidth": 1.1, "marker": ".", "markersize": 4}
    for name in strategies(study):
        points = study[study["strategy"] == name]
        color, scale = charts.look(name)["color"], charts.scale_of(measure)
        axes.plot(points["workers"], scale * points[measure], color=color, alpha=0.5, **dashed)
    if set(study["strategy"]) - {Sequential.name}:  # one point makes no curve
        axes.plot([], [], color=charts.GREY, label=charts.PUBLISHED, **dashed)
