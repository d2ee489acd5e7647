"""Tables, as text for people and as data; how points become rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tabulate import tabulate

from experiments.analysis.occasions import PRIOR
from experiments.analysis.select import ok_trials, place
from experiments.analysis.statistics import interval_columns
from experiments.report import texts
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK
from experiments.wording import pluralise

INTERVALS = (
    "In parentheses: the 95 % interval of each figure by itself, from the model ln time = cell + round with "
    "pooled errors. That of a much noisier cell holds in nine of ten cases after two or three rounds. Times "
    "are geometric means, adjusted to an average round."
)
NOW = (
    "Times and images/s are those of the minutes in which they were measured. Occasions differ by some "
    f"{texts.percent(PRIOR)}; ratios of times differ less."
)
NO_INTERVAL = "An interval needs two rounds with other cells; rerun=true adds rounds of all."
LONG_TASKS, LONG_S = 10, 2.0  # for each worker, and seconds of a trial: by them its ends weigh little
SHORT = (
    f"of less than {LONG_TASKS} tasks a worker or {LONG_S:g} s: starts and uneven ends of workers weigh in "
    "them. More n_augmentations make them longer."
)
NO_BASELINE = "Ideal, speedup and efficiency need with_baseline=true, and weak scaling also needs workers=1."

Columns = Mapping[str, Callable[[Any], str]]  # by head of a column, a function from a row to its text


@dataclass(frozen=True)
class Table:
    """Text for people (`columns`, `rows`) and the same in unrounded numbers (`data`)."""

    title: str
    columns: list[str]  # a line break ends the part that neighbouring columns have in common
    rows: list[list[str]]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return aligned columns between the title and the notes."""
        if not any(self.columns):  # lines, each with a heading
            return "\n".join([self.title, "", tabulate(self.rows, tablefmt="plain"), ""])
        body = tabulate(self.rows, self.columns, tablefmt="simple", disable_numparse=True)
        return "\n".join([self.title, "", body, "", *self.notes]).rstrip() + "\n"

    def markdown(self) -> str:
        """Return the table as GitHub Markdown, with the notes as a list below."""
        lines = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in self.rows]
        heads = [head.replace("\n", " ") for head in self.columns]
        body = tabulate(lines, heads, tablefmt="github", disable_numparse=True)
        return "\n".join([f"### {self.title}", "", body, "", *(f"- {note}" for note in self.notes), ""])

    def save(self, path: Path) -> list[Path]:
        """Write the table as Markdown and its data as CSV; return both files."""
        path.parent.mkdir(parents=True, exist_ok=True)
        contents = {"md": self.markdown(), "csv": self.data.to_csv(index=False)}
        files = [path.with_name(f"{path.name}.{kind}") for kind in contents]
        for file, text in zip(files, contents.values(), strict=True):
            file.write_text(text, encoding="utf-8")
        return files


def plain_table(
    title: str, data: pd.DataFrame, notes: Sequence[str] = (), shown: pd.DataFrame | None = None
) -> Table:
    """Return a table that shows the columns of `shown`, or those of `data`."""
    frame = data if shown is None else shown
    digests = [str(name) for name in frame if str(name).endswith("digest")]
    frame = frame.assign(**{name: frame[name].str[:12] for name in digests})  # enough to tell them apart
    if "strategy" in frame:
        frame = frame.assign(strategy=frame["strategy"].map(texts.label))
    rows = [[value_text(value) for value in row] for row in frame.itertuples(index=False)]
    heads = [name.replace("_", " ") if name.isidentifier() else name for name in map(str, frame)]
    return Table(title, heads, rows, data, list(notes))


def text_table(
    title: str, rows: pd.DataFrame, keys: Sequence[str], columns: Columns, notes: Sequence[str] = ()
) -> Table:
    """Return a table of these keys of each row, and of `columns` beside them."""
    shown = rows[list(keys)].copy()
    for head, text in columns.items():
        shown[head] = [text(row) for row in rows.to_dict("records")]
    return plain_table(title, rows, notes, shown)


def by_place(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points with saving before those without, in the order of `place`, by workers."""
    places = points["strategy"].map(sorted({*points["strategy"]}, key=place).index)
    return points.iloc[np.lexsort([points["workers"], places, ~points["saving"].astype(bool)])]


def applicable(points: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the points in their order without those that do not apply, and notes on these."""
    is_none = points["status"] == NOT_APPLICABLE
    counts = points.loc[is_none, "strategy"].value_counts().items()
    notes = [f"{texts.label(str(name))} does not apply to {pluralise(n, 'cell')}." for name, n in counts]
    return by_place(points[~is_none]), notes


def counts(points: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return which of `rounds` and `tasks` differ among the measured points, and a note on the others."""
    known = {name: ok_trials(points)[name] for name in ("rounds", "tasks")}
    equal = [texts.span(values, name[:-1]) for name, values in known.items() if values.nunique() == 1]
    differing = [name for name, values in known.items() if values.nunique() > 1]
    return differing, [f"Each cell: {' of '.join(equal)}."] if equal else []


def value_text(value: Any) -> str:
    """Return a value of any column as text."""
    if pd.isna(value):
        return texts.DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return texts.written(value) if isinstance(value, float) else str(value)


def by_saving(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows with saving and then those without, if there are any, by the name of the flag."""
    is_saving = frame["saving"].astype(bool)
    blocks = {"saving": frame[is_saving], "no saving": frame[~is_saving]}
    return {name: block for name, block in blocks.items() if len(block)}


class Measure(NamedTuple):
    """The names of a column of points in tables and on axes, and the format of its interval."""

    head: str
    axis: str
    text: Callable[[float, float, float], str]


MEASURES = {
    "wall_s": Measure("time (s)", "time (s)", texts.with_interval),
    "images_per_s": Measure("images/s", "augmented images/s", texts.with_interval),
    "speedup": Measure("speedup", "speedup", texts.with_interval),
    "peak_rss_bytes": Measure("memory (MB)", "peak memory (MB)", lambda peak, *_: texts.written(peak / 1e6)),
    "efficiency": Measure("efficiency", "efficiency (%)", texts.percent_interval),
    "normalised_efficiency": Measure("normalised", "work-normalised efficiency (%)", texts.percent_interval),
    "sequential_s": Measure("sequential (s)", "sequential time (s)", texts.with_interval),
    "ideal_s": Measure("ideal (s)", "ideal time (s)", texts.with_interval),
    "times_as_long": Measure("times as long", "times as long", texts.with_interval),
    "serial_fraction": Measure("serial fraction", "serial fraction", texts.with_interval),
    "saving_ratio": Measure("saving / not", "time with saving / without", texts.with_interval),
    "ceiling_share": Measure("of the ceiling", "share of the ceiling (%)", texts.percent_interval),
}


def measure_text(point: Any, name: str) -> str:
    """Return a measure of a point as text: a dash if it is unknown, `failed` for a failed cell."""
    if point["status"] != OK:
        return FAILED if point["status"] == FAILED and name == "wall_s" else texts.DASH
    return MEASURES[name].text(*(point.get(column, math.nan) for column in interval_columns(name)))


def measure_columns(names: Sequence[str]) -> Columns:
    """Return the columns of measures for `text_table`."""
    return {MEASURES[name].head: partial(measure_text, name=name) for name in names}


def repetition_notes(points: pd.DataFrame) -> list[str]:
    """Return notes on intervals, missing baselines and failed trials."""
    measured = ok_trials(points)
    notes = [INTERVALS, NOW] if measured["wall_s_low"].notna().any() else []
    notes += [NO_INTERVAL] if measured["wall_s_low"].isna().any() else []
    notes += [NO_BASELINE] if "ideal_s" in points and measured["ideal_s"].isna().any() else []
    is_short = (measured["tasks"] < LONG_TASKS * measured["workers"]) | (measured["wall_s"] < LONG_S)
    short = f"Short trials in {is_short.sum()} of {pluralise(len(points), 'row')}, {SHORT}"
    notes += [short] if is_short.any() else []
    return notes + [
        f"{texts.label(point['strategy'])} with {pluralise(point['workers'], 'worker')}: "
        f"{pluralise(point['failures'], 'failed trial')} left out of its mean."
        for point in measured[measured["failures"] > 0].to_dict("records")
    ]
