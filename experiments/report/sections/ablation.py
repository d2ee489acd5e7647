"""What each policy, changed alone, gives back."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis.ablation import POINT, REMOVABLE, gains
from experiments.analysis.statistics import LEVEL
from experiments.analysis.text import DASH, label, percent, percent_interval, with_or_without, written
from experiments.report.charts import Chart, bar_lengths, look, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, by_place, plain_table
from experiments.store.columns import OK

LEFT_EDGE = -100.0  # %: twice the time
NOTES = (
    f"Given back: share of the time with no policy changed. The {percent(LEVEL)} are of all ablations of a "
    "point together (Holm); `aa` changes nothing.",
    "Counter: what belongs to the ablation, mean of a trial without and with it; shares are of P x T.",
)


@section(
    "ablation",
    "diagnosis",
    chapter="What each policy gives back",
    words="One policy changed at a time, in the same rounds as the cell with none changed.",
    order=70,
)
def ablation(results: Results) -> Outputs:
    """What was measured in the same rounds, with and without each policy."""
    trials, notes = results.comparable
    given = gains(trials, results.parts)
    stem = "table" if results.experiment == "ablation" else "ablation"
    yield stem, [ablation_table(given, [*_unmeasured(trials), *NOTES, *notes])]
    yield "time_given_back", Chart(ablation_figure(given, "What each policy gives back"), given)


def _unmeasured(trials: pd.DataFrame) -> list[str]:
    """A line for each cell with a trial that is in no mean."""
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    return [
        f"{row['ablation']} with {label(row['strategy'])} at {row['workers']} workers: {row['status']}."
        for row in missing.to_dict("records")
    ]


def ablation_table(given: pd.DataFrame, notes: list[str]) -> Table:
    """The rows of `gains`, with the counter of each ablation."""
    shown = given[[*POINT, "ablation", "rounds"]].copy()
    shown["images/s"] = given["images_per_s"].map(partial(written, form=".3g"))
    intervals = given[["gain", "low", "high"]].to_numpy().tolist()
    shown["time given back"] = [percent_interval(gain, low, high, "+") for gain, low, high in intervals]
    shown["counter"] = [_counter(row) for row in given.to_dict("records")]
    return plain_table("Ablations", given, notes, shown)


def _counter(row: Any) -> str:
    if row["counter"] is None or pd.isna(row["before"]):
        return DASH
    write = percent if row["counter"] in REMOVABLE else "{:,.0f}".format
    return f"{row['counter']} {write(row['before'])} → {write(row['after'])}"


@styled
def ablation_figure(given: pd.DataFrame, title: str) -> Figure:
    """A row per ablation of each point, by the time it gives back. What costs more than LEFT_EDGE is named
    at the edge: to scale, it would squeeze all others into a line."""
    rows = by_place(given).reset_index(drop=True)
    figure, [axes] = panels(title, (6.4, 1.3 + 0.28 * len(rows)), 1, 1)
    middle, low, high = (100 * rows[name].to_numpy() for name in ("gain", "low", "high"))
    bars = bar_lengths(middle, low, high)
    for strategy, block in rows.groupby("strategy", sort=False):
        at = block.index.to_numpy()
        axes.errorbar(middle[at], at, xerr=bars[:, at], linestyle="none", capsize=3, **look(str(strategy)))
    for rank in np.flatnonzero(middle < LEFT_EDGE):
        axes.annotate(f"◀ {written(middle[rank], '.0f')} %", (LEFT_EDGE, rank), va="center")
    axes.axvline(0, color="black", linewidth=0.8)
    points = rows["strategy"].map(label) + ", " + rows["workers"].astype(str)
    axes.set_yticks(rows.index, points + ", " + rows["saving"].map(with_or_without) + ": " + rows["ablation"])
    axes.set(ylabel="strategy, workers, saving: ablation", ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlim(left=max(LEFT_EDGE, min(np.nanmin([middle, low]) - 2, -2)))
    axes.set_xlabel(f"time given back, {percent(LEVEL)} interval\n(% of the time with no policy changed)")
    return figure
