"""Tables in the study's layout, from points.

A cell that was measured shows its figure, one that does not apply or lacks a baseline a dash, one
that failed `failed`, one that nobody ran `not run`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from experiments.analysis.scaling import COMPARED, SAVERS, SEQUENTIAL, summarise
from experiments.records.schema import FAILED, OK

DASH = "-"
LABELS = {SEQUENTIAL: "sequential", "p1": "P_1", "pq": "P_Q", "p2": "P_2"}  # in the study's order
SPREAD = "± is half the range of the repetitions; figures are of their mean."
SINGLE = "* one repetition only: its spread is unknown."
NORMALISED = "normalised: sequential time at the same image size / (ranks x time)"


@dataclass(frozen=True)
class Table:
    """Text for people (`columns`, `rows`) and the same in unrounded numbers (`data`)."""

    title: str
    columns: list[tuple[str, str]]  # group, name
    rows: list[list[str]]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)


def strategies(points: pd.DataFrame) -> list[str]:
    """The strategies of the data: first the study's, in its order, then the others by name."""
    present = set(points["strategy"])
    return [name for name in LABELS if name in present] + sorted(present - set(LABELS))


def label(strategy: str) -> str:
    return LABELS.get(strategy, strategy)


def seconds(point: Any) -> str:
    """`3.21 ±0.04`: mean and half the range; `3.21*` for a single repetition."""
    half = (point["wall_s_max"] - point["wall_s_min"]) / 2
    spread = "*" if point["repetitions"] == 1 else "" if pd.isna(half) else f" ±{half:.2f}"
    return f"{point['wall_s']:.2f}{spread}"


MEASURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "wall_s": ("time (s)", seconds),
    "speedup": ("speedup", lambda point: f"{point['speedup']:.2f}"),
    "efficiency": ("efficiency", lambda point: f"{point['efficiency']:.0%}"),
    "normalised_efficiency": ("normalised", lambda point: f"{point['normalised_efficiency']:.0%}"),
}


def measures(points: pd.DataFrame) -> list[str]:
    """What these points measure: weak scaling has no speedup, only it has a normalised efficiency."""
    return [name for name in MEASURES if name in points]


def scaling_tables(points: pd.DataFrame, title: str, note: str | None = None) -> list[Table]:
    """One table for saving and one for no saving, of the points of `strong` or `weak`."""
    blocks = ((points[points["saving"]], "saving"), (points[~points["saving"]], "no saving"))
    return [_block(block, f"{title}, {name}", note) for block, name in blocks if not block.empty]


def _block(points: pd.DataFrame, title: str, note: str | None) -> Table:
    key = ["workers", *(name for name in ("width", "height") if name in points)]
    names = strategies(points)
    shown = {name: ["wall_s"] if name == SEQUENTIAL else measures(points) for name in names}
    heads = ["ranks", "image size", "ideal (s)"] if len(key) > 1 else ["ranks", "ideal (s)"]
    columns = [("", head) for head in heads]
    columns += [(label(name), MEASURES[measure][0]) for name in names for measure in shown[name]]
    rows = []
    for _, row in points.groupby(key, dropna=False):
        workers, *size = (row[name].iloc[0] for name in key)
        texts = [_value(workers), "x".join(map(_value, size)), _value(row["ideal_s"].max())]
        texts = texts if size else [texts[0], texts[2]]
        cells = {cell["strategy"]: cell for cell in row.to_dict("records")}
        for name in names:
            point = cells.get(name)
            texts += _cells(point, shown[name]) if point else _absent(name, workers, shown[name], row)
        rows.append(texts)
    return Table(title, columns, rows, points, _notes(points, note))


def _cells(point: Any, shown: list[str]) -> list[str]:
    if point["status"] == OK:
        return [DASH if pd.isna(point[name]) else MEASURES[name][1](point) for name in shown]
    return [FAILED if point["status"] == FAILED else DASH] + [DASH] * (len(shown) - 1)


def _absent(strategy: str, workers: int, shown: list[str], row: pd.DataFrame) -> list[str]:
    """A place in the layout without a point: in weak scaling sequential has its reference there."""
    if strategy == SEQUENTIAL:
        return [_value(row["sequential_s"].max()) if "sequential_s" in row else DASH]
    return [DASH if workers == 1 else "not run"] + [DASH] * (len(shown) - 1)


def _notes(points: pd.DataFrame, note: str | None) -> list[str]:
    """Only what these points give reason to explain."""
    measured = points[points["status"] == OK]
    notes = []
    if (measured["wall_s_min"].notna() & (measured["repetitions"] > 1)).any():
        notes.append(SPREAD)
    if (measured["repetitions"] == 1).any():
        notes.append(SINGLE)
    if "ideal_s" in points and measured["ideal_s"].isna().any():
        notes.append("No sequential baseline was measured: ideal, speedup and efficiency are unknown.")
    if "sequential_s" in points:
        notes.append(f"{NORMALISED}; - where no such time was measured.")
    for point in measured[measured["failures"] > 0].to_dict("records"):
        where, failed = f"{label(point['strategy'])} at {point['workers']} workers", point["failures"]
        notes.append(f"{where}: {failed} failed trial{'s are' if failed > 1 else ' is'} not in its mean.")
    return [*notes, note] if note else notes


def environment_table(environment: str) -> Table:
    """The experimental environment of one trial, from its JSON column."""
    items = list(json.loads(environment).items())
    return plain_table("Experimental environment", pd.DataFrame(items, columns=["item", "value"]))


def validation_table(trials: pd.DataFrame, note: str | None = None) -> Table:
    """Whether each strategy wrote, byte for byte, the files that `sequential` wrote."""
    columns = ["strategy", "workers", "status", "outputs", "outputs_digest"]
    data = trials[columns].drop_duplicates().sort_values(columns[:2]).astype({"outputs": "Int64"})
    sequential = (data["strategy"] == SEQUENTIAL) & (data["status"] == OK)
    reference = data.loc[sequential, "outputs_digest"].dropna()
    comparable = data["outputs_digest"].notna() & (len(reference) == 1)
    same = data["outputs_digest"].isin(reference).astype("boolean")
    data["identical to sequential"] = same.where(comparable)
    why = {0: "Sequential wrote nothing to compare with.", 1: None}
    remark = why.get(len(reference), "Sequential did not write the same files twice.")
    shown = data.assign(outputs_digest=data["outputs_digest"].str[:12])
    return plain_table("Validation", data, [line for line in (remark, note) if line], shown)


def savers_table(points: pd.DataFrame, note: str | None = None) -> Table:
    """Time and speedup by workers and savers, of the points of `strong(trials, SAVERS)`."""
    data = points[points["strategy"] != SEQUENTIAL].astype({"savers": "Int64"})
    shown = data[["strategy", "workers", "savers"]].copy()
    for name in ("wall_s", "speedup"):
        shown[MEASURES[name][0]] = [_cells(point, [name])[0] for point in data.to_dict("records")]
    return plain_table("Tuning of the number of savers", points, _notes(data, note), shown)


def cells_table(trials: pd.DataFrame, title: str, note: str | None = None) -> Table:
    """Every measured configuration in a row of its own, named by the columns in which they differ."""
    always = [*SAVERS, "strategy_options"]
    data = summarise(trials, [*always, *COMPARED])
    differing = [name for name in COMPARED if data[name].nunique() > 1]
    shown = data[[*always, *differing]].astype({"savers": "Int64"})
    shown["time (s)"] = [_cells(point, ["wall_s"])[0] for point in data.to_dict("records")]
    return plain_table(title, data, _notes(data, note), shown)


def plain_table(
    title: str, data: pd.DataFrame, notes: Sequence[str] = (), shown: pd.DataFrame | None = None
) -> Table:
    """A table with the columns of `shown`, which is `data` itself if not given."""
    frame = data if shown is None else shown
    rows = [[_value(value) for value in row] for row in frame.itertuples(index=False)]
    return Table(title, [("", str(name).replace("_", " ")) for name in frame], rows, data, list(notes))


def _value(value: Any) -> str:
    if pd.isna(value):
        return DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
