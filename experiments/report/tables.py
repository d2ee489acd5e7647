"""A table: text for people and the same as data; and how points become one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tabulate import tabulate

from experiments.analysis.scaling import interval_columns, strategies
from experiments.analysis.select import ok_trials
from experiments.analysis.text import (
    DASH,
    label,
    percent_interval,
    pluralise,
    with_interval,
    with_or_without,
    written,
)
from experiments.store.columns import FAILED, OK

INTERVALS = (
    "In parentheses the 95 % interval of each figure by itself, from ln time = cell + round (errors pooled); "
    "times are geometric means in the mean of the rounds."
)
NOTHING_SHARED = (
    "No interval where no round is shared with the others: rerun=true measures all in the same rounds."
)

Texts = Mapping[str, Callable[[Any], str]]  # head of a column: its text of a row


@dataclass(frozen=True)
class Table:
    """Text for people (`columns`, `rows`) and the same in unrounded numbers (`data`)."""

    title: str
    columns: list[str]  # a line break separates what columns have in common from what they differ in
    rows: list[list[str]]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Aligned columns between the title and the notes."""
        if not any(self.columns):  # lines, each with its heading
            return "\n".join([self.title, "", tabulate(self.rows, tablefmt="plain"), ""])
        body = tabulate(self.rows, self.columns, tablefmt="simple", disable_numparse=True)
        return "\n".join([self.title, "", body, "", *self.notes]).rstrip() + "\n"

    def markdown(self) -> str:
        """The table as GitHub Markdown, its notes as a list below."""
        lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in self.rows]
        heads = [head.replace("\n", " ") for head in self.columns]
        body = tabulate(lines, heads, tablefmt="github", disable_numparse=True)
        return "\n".join([f"### {self.title}", "", body, "", *(f"- {note}" for note in self.notes), ""])


def plain_table(
    title: str, data: pd.DataFrame, notes: Sequence[str] = (), shown: pd.DataFrame | None = None
) -> Table:
    """A table with the columns of `shown`, which is `data` itself if not given."""
    frame = with_short_digests(data if shown is None else shown)
    if "strategy" in frame:
        frame = frame.assign(strategy=frame["strategy"].map(label))
    rows = [[value_text(value) for value in row] for row in frame.itertuples(index=False)]
    heads = [name.replace("_", " ") if name.isidentifier() else name for name in map(str, frame)]
    return Table(title, heads, rows, data, list(notes))


def with_short_digests(frame: pd.DataFrame) -> pd.DataFrame:
    """As many digits as tell them apart."""
    digests = frame.columns[frame.columns.str.endswith("digest")]
    return frame.assign(**{str(name): frame[name].str[:12] for name in digests})


def point_table(
    title: str, points: pd.DataFrame, texts: Texts, notes: Sequence[str], data: pd.DataFrame | None = None
) -> Table:
    """A row per point, saving first, then by strategy and workers: its key and `texts`. `data`, if given,
    is the data of the table instead of the points."""
    ordered = by_place(points).sort_values("saving", ascending=False, kind="stable")
    shown = ordered[["saving", "strategy", "workers"]].copy()
    for head, text in texts.items():
        shown[head] = [text(row) for row in ordered.to_dict("records")]
    return plain_table(title, points if data is None else data, notes, shown)


def by_place(points: pd.DataFrame) -> pd.DataFrame:
    """The points by strategy, in the order of `strategies`, and workers."""
    places = points["strategy"].map(strategies(points).index)
    return points.assign(place=places).sort_values(["place", "workers"], kind="stable")


def side_by_side(long: pd.DataFrame, keys: pd.Index) -> pd.DataFrame:
    """The `text` of a long table, a row per key and a column per `head`; a dash where there is none."""
    texts = long.set_index([*map(str, keys.names), "head"])["text"]
    wide = texts.unstack(sort=False) if len(texts) else pd.DataFrame(index=keys)
    return wide.reindex(keys).fillna(DASH).reset_index()


def value_text(value: Any) -> str:
    """A value of any column as text."""
    if pd.isna(value):
        return DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return written(value, ".2f") if isinstance(value, float) else str(value)


def by_saving(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows with and those without saving, as far as there are any, under the name of their flag."""
    for flag in (True, False):
        if len(block := frame[frame["saving"] == flag]):
            yield with_or_without(flag), block


class Measure(NamedTuple):
    """How a column of points is named in tables and charts, and how its value and the ends of its interval
    are written."""

    head: str
    axis: str
    text: Callable[[float, float, float], str]


MEASURES = {
    "wall_s": Measure("time (s)", "time (s)", with_interval),
    "images_per_s": Measure("images/s", "augmented images per second", partial(with_interval, form=".3g")),
    "speedup": Measure("speedup", "speedup", with_interval),
    "efficiency": Measure("efficiency", "efficiency (%)", percent_interval),
    "normalised_efficiency": Measure("normalised", "work-normalised efficiency (%)", percent_interval),
    "ceiling_share": Measure("of the ceiling", "share of the ceiling (%)", percent_interval),
}


def interval_of(point: Any, name: str) -> tuple[float, float, float]:
    """A measure of a point, with the ends of its interval."""
    value, low, high = (point[column] for column in interval_columns(name))
    return value, low, high


def measure_text(point: Any, name: str) -> str:
    """A measure of a point: a dash for what is unknown or does not apply, `failed` for a failed cell."""
    if point["status"] != OK:
        return FAILED if point["status"] == FAILED and name == "wall_s" else DASH
    return MEASURES[name].text(*interval_of(point, name))


def repetition_notes(points: pd.DataFrame) -> list[str]:
    """What a reader must know of the repetitions of these points."""
    measured = ok_trials(points)
    notes = []
    if measured["wall_s_low"].notna().any():
        notes.append(INTERVALS)
    for count in sorted({*measured.loc[measured["wall_s_low"].isna(), "rounds"]}):
        notes.append(
            f"No interval where there is {pluralise(count, 'round')} only." if count == 1 else NOTHING_SHARED
        )
    if "ideal_s" in points and measured["ideal_s"].isna().any():
        notes.append("No sequential baseline was measured: ideal, speedup and efficiency are unknown.")
    for point in measured[measured["failures"] > 0].to_dict("records"):
        where = f"{label(point['strategy'])} at {point['workers']} workers"
        notes.append(f"{where}: {pluralise(point['failures'], 'failed trial')} left out of its mean.")
    return notes
