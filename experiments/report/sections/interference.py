"""The slowdown of a task beside neighbours that each load one resource."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.interference import MIN_SLOWDOWN, QUANTITIES, contended_resources, slowdowns
from experiments.analysis.select import NoTrialsError
from experiments.report.charts import GREY, Chart, errorbars, legend, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, plain_table
from experiments.report.texts import percent, pluralise, with_interval, with_or_without

NOTE = (
    "Slowdown: seconds of the same tasks beside busy neighbours / beside idle ones, with the 95 % interval "
    "over the rounds of turns. Spinners compute in the first cache, streamers copy memory, mappers touch "
    "fresh pages, writers write small files."
)
NO_CONTENTION = f"no single resource shows a contention of {percent(MIN_SLOWDOWN - 1)} or more"
PLACE = ["saving", "workers"]
INTERVAL = ["slowdown", "low", "high"]
COLORS = {"wall": "#0072B2", "user CPU": "#D55E00"}


@section(
    "interference",
    "diagnose",
    chapter="CPU or memory",
    words="How much longer a task takes beside neighbours that compute, copy memory, touch fresh pages or "
    "write files.",
    order=60,
)
def interference(results: Results) -> Outputs:
    """Yield the slowdowns of a task, as a table and a chart."""
    trials, notes = results.one_workload
    tasks = slowdowns(trials, results.parts)
    if tasks.empty:
        raise NoTrialsError("no turns were recorded: run `make interference`")
    title, stem = f"{results.title}: slowdown of a task beside neighbours", "interference"
    notes = [*answers(tasks), NOTE, *notes]
    table = slowdown_table(tasks, title, [*PLACE, "quantity"], notes)
    yield "table" if results.experiment == stem else stem, table
    yield stem, Chart(slowdown_figure(tasks, "Slowdown of a task beside neighbours"), tasks)


def answers(table: pd.DataFrame) -> list[str]:
    """Return a sentence per worker count on the resources for which the workload contends."""
    sentences = []
    blocks: Any = table[table["quantity"] == "wall"].groupby(PLACE)
    for (saving, workers), block in blocks:
        rows = block[["neighbour", *INTERVAL]].itertuples(index=False)
        factors = ", ".join(f"{with_interval(*row[1:])} beside {row[0]}" for row in rows)
        resources = " and ".join(contended_resources(block, workers, saving))
        contends = f"the workload contends for {resources}" if resources else NO_CONTENTION
        cell = f"{pluralise(workers, 'worker')}, {with_or_without(saving)}"
        sentences.append(f"{cell}: {contends}; slowdown of a task: {factors}.")
    return sentences


def slowdown_table(table: pd.DataFrame, title: str, keys: list[str], notes: list[str]) -> Table:
    """Return a row per value of `keys` and a column per neighbour."""
    rows: dict[Any, dict[Any, Any]] = {}
    for row in table.to_dict("records"):
        key = {name: row[name] for name in keys}
        shown = rows.setdefault(tuple(key.values()), key)
        shown[row["neighbour"]] = with_interval(*(row[end] for end in INTERVAL))
    return plain_table(title, table, notes, pd.DataFrame(rows.values()))


@styled
def slowdown_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw the slowdown beside each neighbour, with a panel per worker count and saving flag."""
    blocks: list[Any] = list(table.groupby(PLACE))
    figure, row = panels(title, (max(5.0, 0.6 + 3.4 * len(blocks)), 3.8), 1, len(blocks), sharey=True)
    for axes, ((saving, workers), block) in zip(row, blocks, strict=True):
        axes.set_title(f"{workers} workers, {with_or_without(bool(saving))}", fontsize=10)
        _panel(axes, block)
    row[0].set_ylabel("time beside busy neighbours\n/ time beside idle ones")
    legend(figure)
    return figure


def _panel(axes: Axes, block: pd.DataFrame) -> None:
    names = list(dict.fromkeys(block["neighbour"]))
    for offset, marker, quantity in zip((-0.12, 0.12), "os", QUANTITIES, strict=True):
        rows = block[block["quantity"] == quantity]
        at = np.array([names.index(name) for name in rows["neighbour"]]) + offset
        style: Any = {"fmt": marker, "color": COLORS[quantity], "label": quantity}
        errorbars(axes, at, rows[INTERVAL].T, **style)
    axes.axhline(1, color=GREY, linewidth=1, label="no slowdown")
    axes.set_xticks(range(len(names)), names, rotation=20)
    axes.grid(False, axis="x")
