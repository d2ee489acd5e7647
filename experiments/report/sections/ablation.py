"""The time that each policy saves if it alone is changed, and A/A comparisons of identical code."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from experiments.analysis.ablation import AA_ROUNDS, POINT, aa_comparisons, gains
from experiments.analysis.causes import RANKED
from experiments.analysis.statistics import LEVEL
from experiments.report.charts import Chart, errorbars, look, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, by_place, plain_table, text_table
from experiments.report.texts import DASH, label, percent, percent_interval, with_or_without, written
from experiments.store.columns import OK

LEFT_EDGE_PERCENT = -100.0  # the policy doubles the time
TITLE = "Time that each policy saves"
NOTES = (
    "Time saved: share of the time with no policy changed. The intervals hold for all ablations of a point "
    f"together with {percent(LEVEL)} (Holm). `aa` changes nothing.",
    "Counter: the quantity that the ablation should lower, mean of a trial without and with it. Shares are "
    "of P x T.",
)
AA_NOTE = (
    f"Each comparison is of a cell with itself over {AA_ROUNDS} rounds, by the block model. By chance, "
    f"{percent(1 - LEVEL)} of the {percent(LEVEL)} intervals claim a difference. In parentheses: "
    "Clopper-Pearson limits."
)


@section(
    "ablation",
    "diagnose",
    chapter=TITLE,
    words="One policy is changed at a time, in the same rounds as the cell with no policy changed.",
    order=70,
)
def ablation(results: Results) -> Outputs:
    """Yield the time that each policy saves."""
    trials, notes = results.comparable
    saved = gains(trials, results.parts)
    stem = "table" if results.experiment == "ablation" else "ablation"
    yield stem, ablation_table(saved, [*_failures(trials), *NOTES, *notes])
    yield "time_saved", Chart(ablation_figure(saved, TITLE), saved)


@section("aa")
def aa(results: Results) -> Outputs:
    """Yield how many comparisons of identical code claim a difference."""
    trials, notes = results.comparable
    data = aa_comparisons(trials)
    claims = data[data["claim"]]
    limits = stats.binomtest(len(claims), len(data)).proportion_ci(LEVEL, "exact")
    share = percent_interval(len(claims) / len(data), float(limits.low), float(limits.high))
    counts = pd.DataFrame({"comparisons": [len(data)], "claims": [len(claims)], "share": [share]})
    lines = [f"Claimed for {label(row['strategy'])}: {_gain(row)}" for row in claims.to_dict("records")]
    yield "table", plain_table("Identical code against itself", data, [AA_NOTE, *lines, *notes], counts)


def _failures(trials: pd.DataFrame) -> list[str]:
    """Return a line for each cell that has a trial without a time."""
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    return [
        f"{row['ablation']} with {label(row['strategy'])} at {row['workers']} workers: {row['status']}."
        for row in missing.to_dict("records")
    ]


def ablation_table(saved: pd.DataFrame, notes: list[str]) -> Table:
    """Return the rows of `gains`, with the counter of each ablation."""
    texts = {
        "images/s": lambda row: written(row["images_per_s"], ".3g"),
        "time saved": _gain,
        "counter": _counter,
    }
    return text_table("Ablations", saved, [*POINT, "ablation", "rounds"], texts, notes)


def _gain(row: Any) -> str:
    return percent_interval(row["gain"], row["low"], row["high"], "+")


def _counter(row: Any) -> str:
    if row["counter"] is None or pd.isna(row["before"]):
        return DASH
    write = percent if row["counter"] in RANKED else "{:,.0f}".format
    return f"{row['counter']} {write(row['before'])} → {write(row['after'])}"


@styled
def ablation_figure(saved: pd.DataFrame, title: str) -> Figure:
    """Draw a row per ablation of each point, by the time that it saves.

    A loss beyond LEFT_EDGE_PERCENT is a number at the edge: to scale, it would squeeze all other rows.
    """
    rows = by_place(saved).reset_index(drop=True)
    figure, [axes] = panels(title, (6.4, 1.3 + 0.28 * len(rows)), 1, 1)
    percents = 100 * rows[["gain", "low", "high"]]
    for strategy, block in percents.groupby(rows["strategy"], sort=False):
        style = {"linestyle": "none", **look(str(strategy))}
        errorbars(axes, block.index, block.T, is_horizontal=True, **style)
    for rank, gain in percents.loc[percents["gain"] < LEFT_EDGE_PERCENT, "gain"].items():
        axes.annotate(f"◀ {written(gain, '.0f')} %", (LEFT_EDGE_PERCENT, int(str(rank))), va="center")
    axes.axvline(0, color="black", linewidth=0.8)
    points = rows["strategy"].map(label) + ", " + rows["workers"].astype(str)
    axes.set_yticks(rows.index, points + ", " + rows["saving"].map(with_or_without) + ": " + rows["ablation"])
    axes.set(ylabel="strategy, workers, saving: ablation", ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlim(left=max(LEFT_EDGE_PERCENT, min(np.nanmin(percents[["gain", "low"]]) - 2, -2)))
    axes.set_xlabel(f"time saved, {percent(LEVEL)} interval\n(% of the time with no policy changed)")
    return figure
