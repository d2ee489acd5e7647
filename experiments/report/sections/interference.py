"""The slowdown of a task beside neighbours that each load one resource."""

from experiments.analysis.interference import MIN_SLOWDOWN, contended_resources, slowdowns
from experiments.analysis.select import NoTrialsError
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import plain_table
from experiments.report.texts import DASH, percent, with_interval

NOTES = (
    "Slowdown: seconds of the same tasks beside busy neighbours / beside idle ones, with the 95 % interval "
    "over the rounds of turns. Spinners compute in the first cache, streamers copy memory, mappers touch "
    "fresh pages.",
    f"Contends for: the resource whose load alone explains at least half of a slowdown of "
    f"{percent(MIN_SLOWDOWN - 1)} or more beside copies.",
)
PLACE = ["saving", "workers"]


@section("interference", "diagnose", chapter="CPU or memory", order=70)
def interference(results: Results) -> Outputs:
    """Yield the slowdowns of a task, and the resource that it contends for."""
    trials, notes = results.ablated
    tasks = slowdowns(trials, results.parts)
    if tasks.empty:
        raise NoTrialsError("no turns were recorded: run `make interference`")
    intervals = tasks[["slowdown", "low", "high"]].itertuples(index=False)
    beside = tasks.assign(text=[with_interval(*interval) for interval in intervals])
    shown = beside.pivot(index=PLACE, columns="neighbour", values="text")[beside["neighbour"].unique()]
    resources = [contended_resources(tasks, workers, saving) for saving, workers in shown.index]
    shown["contends for"] = [", ".join(each) or DASH for each in resources]
    stem = "table" if results.experiment == "interference" else "interference"
    title = f"{results.title}: slowdown of a task beside neighbours"
    yield stem, plain_table(title, tasks, [*NOTES, *notes], shown.reset_index())
