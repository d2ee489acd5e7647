"""Strong and weak scaling in the study's layout: time, speedup and efficiency against workers."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augment.strategies.sequential import Sequential
from experiments.analysis import published
from experiments.analysis.scaling import strategies
from experiments.analysis.text import DASH, label
from experiments.records.schema import OK
from experiments.report import style
from experiments.report.sections import Outputs, Results, cpus_of, section
from experiments.report.tables import MEASURES, Table, by_saving, point_texts, repetition_notes, value_text

NORMALISED = "normalised: sequential time at the same image size / (ranks x time); - where it is unknown."


@section(*published.POINTS)
def scaling(results: Results) -> Outputs:
    """The points over the study's."""
    points, notes, cpus = points_of(results)
    yield "table", scaling_tables(points, results.title, notes)
    if (points["status"] == OK).any():
        study = published.points(results.experiment)
        for measure in (name for name in MEASURES if name in points):
            stem = "time" if measure == "wall_s" else measure
            yield stem, scaling_figure(measure, points, results.title, study, cpus)


def points_of(results: Results) -> tuple[pd.DataFrame, list[str], int]:
    """The points of an experiment, lines on the trials that were left out, and the CPUs of the machine."""
    points, axes = published.POINTS[results.experiment]
    trials, notes = results.selected(axes)
    return points(trials), notes, cpus_of(trials)


def scaling_tables(points: pd.DataFrame, title: str, notes: Sequence[str] = ()) -> list[Table]:
    """One table for saving and one for no saving, of the points of `strong` or `weak`."""
    return [_table(block, f"{title}, {flag}", notes) for flag, block in by_saving(points)]


def _table(points: pd.DataFrame, title: str, notes: Sequence[str]) -> Table:
    weak = "sequential_s" in points
    measures = {name: [each for each in MEASURES if each in points] for name in strategies(points)}
    if Sequential.name in measures:
        measures[Sequential.name] = ["wall_s"]
    columns = ["ranks", *(["image size"] if weak else []), "ideal (s)"]
    columns += [f"{label(name)}\n{MEASURES[each].head}" for name, names in measures.items() for each in names]
    rows = []
    for _, row in points.groupby(["workers", "width", "height"] if weak else ["workers"], dropna=False):
        texts = [str(row["workers"].iloc[0])]
        texts += ["x".join(value_text(row[side].iloc[0]) for side in ("width", "height"))] if weak else []
        texts.append(value_text(row["ideal_s"].max()))
        by_strategy = {point["strategy"]: point for point in row.to_dict("records")}
        for name, names in measures.items():
            point = by_strategy.get(name)
            texts += point_texts(point, names) if point else [_absent(name, row), *[DASH] * (len(names) - 1)]
        rows.append(texts)
    every_note = [*repetition_notes(points), *([NORMALISED] if weak else []), *notes]
    return Table(title, columns, rows, points, every_note)


def _absent(strategy: str, row: pd.DataFrame) -> str:
    """A place in the layout without a point: in weak scaling sequential has its reference there."""
    if strategy == Sequential.name:
        return value_text(row["sequential_s"].max()) if "sequential_s" in row else DASH
    return DASH if row["workers"].iloc[0] == 1 else "not run"


@style.styled
def scaling_figure(
    measure: str, points: pd.DataFrame, title: str, study: pd.DataFrame | None = None, cpus: int | None = None
) -> Figure:
    """A measure of the points of `strong` or `weak`, over the points of the `study`, with a line at the
    CPUs of the machine. Raises NoTrialsError if there is nothing but cells that do not apply."""
    figure, panels = style.saving_panels(points, title)
    study = points.iloc[:0] if study is None else study.dropna(subset=measure)
    for axes, block in panels:
        _overlay(axes, measure, study[study["saving"] == block["saving"].iloc[0]])
        ideal = block.groupby("workers")["ideal_s"].max()
        if measure != "wall_s":
            ideal[:] = ideal.index if measure == "speedup" else 100.0
        axes.plot(ideal.index, ideal, color=style.GREY, linewidth=1, label=style.IDEAL, zorder=1)
        style.curves(axes, block, measure)
        style.worker_axis(axes, {*points["workers"], *study["workers"]}, cpus)
    style.finish(figure, measure)
    return figure


def _overlay(axes: Axes, measure: str, study: pd.DataFrame) -> None:
    dashed: Any = {"linestyle": "--", "linewidth": 1.1, "marker": ".", "markersize": 4}
    for name in strategies(study):
        points = study[study["strategy"] == name]
        color, scale = style.look(name)["color"], style.scale_of(measure)
        axes.plot(points["workers"], scale * points[measure], color=color, alpha=0.5, **dashed)
    if set(study["strategy"]) - {Sequential.name}:  # one point makes no curve
        axes.plot([], [], color=style.GREY, label=style.PUBLISHED, **dashed)
