"""CPU or memory? What slows a task down beside its neighbours (see `analysis.interference`)."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.interference import (
    MIN_SLOWDOWN,
    QUANTITIES,
    contended_resources,
    slowdowns,
    whole_tasks,
)
from experiments.analysis.scaling import NoTrialsError
from experiments.analysis.text import percent, pluralise, with_interval, with_or_without
from experiments.report.charts import GREY, Chart, bar_lengths, legend, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, plain_table, side_by_side

NOTE = (
    "Seconds of the same tasks beside so many neighbours / beside idle ones, with the 95 % interval over the "
    "rounds of turns. Spinners compute in the first cache, streamers copy memory, mappers touch fresh pages, "
    "writers make small files."
)
NOT_TOLD = f"no contention of {percent(MIN_SLOWDOWN - 1)} or more is shown for any one resource"
COLORS = {"wall": "#0072B2", "user CPU": "#D55E00"}


@section(
    "interference",
    "diagnosis",
    chapter="CPU or memory",
    words="How much longer a task takes beside neighbours that compute, copy memory, touch fresh pages or "
    "write files.",
    order=60,
)
def interference(results: Results) -> Outputs:
    """What a task is slowed down by, in all and per transform."""
    trials, notes = results.one_workload
    every = slowdowns(trials, results.parts)
    table, transforms = whole_tasks(every), every.dropna(subset="transform")
    if table.empty:
        raise NoTrialsError("no turns were recorded: run `make interference`")
    title, place = f"{results.title}: slowdown of a task beside neighbours", ["saving", "workers"]
    stem = "table" if results.experiment == "interference" else "interference"
    notes = [*answers(table), NOTE, *notes]
    yield stem, [slowdown_table(table, title, [*place, "quantity"], notes)]
    yield "interference", Chart(slowdown_figure(table, "What a task is slowed down by"), table)
    if len(transforms):
        all_s = transforms.drop_duplicates([*place, "transform"]).groupby(place)["alone_s"].sum()
        transforms = transforms.join(all_s.rename("all_s"), on=place)
        transforms["share"] = [percent(share, 1) for share in transforms["alone_s"] / transforms["all_s"]]
        transforms = transforms.sort_values([*place, "alone_s"], ascending=[True, True, False], kind="stable")
        title = "Slowdown of each transform, by the clock"
        yield "transforms", [slowdown_table(transforms, title, [*place, "transform", "share"], [NOTE])]


def answers(table: pd.DataFrame) -> list[str]:
    """A sentence per worker count: for what the workload contends."""
    sentences, tasks = [], whole_tasks(table)
    blocks: Any = tasks[tasks["quantity"] == "wall"].groupby(["saving", "workers"])
    for (saving, workers), block in blocks:
        rows = block[["neighbour", "slowdown", "low", "high"]].itertuples(index=False)
        beside = ", ".join(f"{with_interval(*row[1:])} beside {row[0]}" for row in rows)
        resources = " and ".join(contended_resources(block, workers, saving))
        contends = f"the workload contends for {resources}" if resources else NOT_TOLD
        where = f"{pluralise(workers, 'worker')}, {with_or_without(saving)}"
        sentences.append(f"{where}: {contends}; a task takes so many times as long: {beside}.")
    return sentences


def slowdown_table(table: pd.DataFrame, title: str, keys: list[str], notes: list[str]) -> Table:
    """A row per `keys`, a column per neighbour."""
    texts = [with_interval(*each) for each in table[["slowdown", "low", "high"]].to_numpy().tolist()]
    long = table.assign(head=table["neighbour"], text=texts)
    rows = pd.MultiIndex.from_frame(long[keys].drop_duplicates())
    return plain_table(title, table, notes, side_by_side(long, rows))


@styled
def slowdown_figure(table: pd.DataFrame, title: str) -> Figure:
    """A panel per worker count (and saving flag): the slowdown beside each neighbour, wall and user CPU."""
    blocks: list[Any] = list(table.groupby(["saving", "workers"]))
    figure, row = panels(title, (max(5.0, 0.6 + 3.4 * len(blocks)), 3.8), 1, len(blocks), sharey=True)
    for axes, ((saving, workers), block) in zip(row, blocks, strict=True):
        axes.set_title(f"{workers} workers, {with_or_without(bool(saving))}", fontsize=10)
        _panel(axes, block)
    row[0].set_ylabel("time beside neighbours\n/ time beside idle ones")
    legend(figure)
    return figure


def _panel(axes: Axes, block: pd.DataFrame) -> None:
    names = list(dict.fromkeys(block["neighbour"]))
    for offset, quantity in zip((-0.12, 0.12), QUANTITIES, strict=True):
        shown = block[block["quantity"] == quantity]
        at = np.array([names.index(name) for name in shown["neighbour"]]) + offset
        middle, low, high = (shown[name].to_numpy(float) for name in ("slowdown", "low", "high"))
        style: Any = {"fmt": "os"[offset > 0], "capsize": 3, "color": COLORS[quantity], "label": quantity}
        axes.errorbar(at, middle, yerr=bar_lengths(middle, low, high), **style)
    axes.axhline(1, color=GREY, linewidth=1, label="no slowdown")
    axes.set_xticks(range(len(names)), names, rotation=20)
    axes.grid(False, axis="x")
