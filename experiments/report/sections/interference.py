"""The slowdown of a task beside neighbours that each load one resource."""

from typing import Any

import pandas as pd

from experiments.analysis.interference import MIN_SLOWDOWN, contended_resources, slowdowns
from experiments.analysis.select import NoTrialsError
from experiments.report.charts import Chart, dot_figure
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import plain_table
from experiments.report.texts import percent, with_interval, with_or_without
from experiments.wording import pluralise

NOTE = (
    "Slowdown: seconds of the same tasks beside busy neighbours / beside idle ones, with the 95 % interval "
    "over the rounds of turns. Spinners compute in the first cache, streamers copy memory, mappers touch "
    "fresh pages."
)
NO_CONTENTION = f"no single resource shows a contention of {percent(MIN_SLOWDOWN - 1)} or more"
PLACE = ["saving", "workers"]
INTERVAL = ["slowdown", "low", "high"]
AXIS = "time beside busy neighbours\n/ time beside idle ones"


@section(
    "interference",
    "diagnose",
    chapter="CPU or memory",
    words="How much longer a task takes beside neighbours that compute, copy memory or touch fresh pages.",
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
    texts = [with_interval(*interval) for interval in tasks[INTERVAL].itertuples(index=False)]
    by_neighbour = tasks.assign(text=texts).pivot(index=PLACE, columns="neighbour", values="text")
    shown = by_neighbour[tasks["neighbour"].unique()].reset_index()
    yield "table" if results.experiment == stem else stem, plain_table(title, tasks, notes, shown)
    panels = tasks["workers"].astype(str) + " workers, " + tasks["saving"].map(with_or_without)
    places = pd.DataFrame({"panel": panels, "row": tasks["neighbour"], "mark": ""})
    yield stem, Chart(dot_figure(title, places, tasks[INTERVAL], AXIS, 1), tasks)


def answers(table: pd.DataFrame) -> list[str]:
    """Return a sentence per worker count on the resources for which the workload contends."""
    sentences = []
    blocks: Any = table.groupby(PLACE)
    for (saving, workers), block in blocks:
        rows = block[["neighbour", *INTERVAL]].itertuples(index=False)
        factors = ", ".join(f"{with_interval(*row[1:])} beside {row[0]}" for row in rows)
        resources = " and ".join(contended_resources(block, workers, saving))
        contends = f"the workload contends for {resources}" if resources else NO_CONTENTION
        cell = f"{pluralise(workers, 'worker')}, {with_or_without(saving)}"
        sentences.append(f"{cell}: {contends}; slowdown of a task: {factors}.")
    return sentences
