"""The sections of `make diagnose`: where the time goes, what stops each strategy, what would save time."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis.ablation import POINT, gains
from experiments.analysis.breakdown import PARTS, breakdowns
from experiments.analysis.causes import RANKED
from experiments.analysis.interference import MIN_SLOWDOWN, contended_resources, slowdowns
from experiments.analysis.select import STRONG, NoTrialsError
from experiments.analysis.statistics import LEVEL
from experiments.analysis.verdict import NEGLIGIBLE_LOSS, OVERSUBSCRIBED, verdicts
from experiments.report import texts
from experiments.report.charts import Chart, legend, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Columns, by_place, by_saving, plain_table, text_table
from experiments.store.columns import OK, UNTOUCHED
from experiments.wording import pluralise

BARS = {  # in the chart: the parts of each, and its colour
    "reference work": (["reference_s"], "#8A8A8A"),
    "extra CPU": (["extra_user_s", "extra_system_s"], "#D55E00"),
    "waits in tasks": (["extra_wait_s", "others_s", "extra_blocked_s", "steal_s"], "#CC79A7"),
    "load imbalance": (["imbalance_s"], "#009E73"),
    "start-up, gaps, drain": (["startup_s", "gaps_s", "drain_s"], "#0072B2"),
}
CHAPTER = "Where the time goes"
BREAKDOWN_NOTE = (
    "Shares of P x T, which sum to 100 %; means over the repetitions. Large shares are suspects, not proofs. "
    "Others: CPU of other processes while tasks waited for one. Blocked: time in tasks without CPU, run-"
    "queue wait or steal, such as waits for a disk or a lock. Below zero: less than in the reference."
)
VERDICT_NOTES = (
    "Lost: share of the time, relative to what this machine was shown to do: the rate of as many busy copies "
    f"of the program (the ceiling), or an ablation that was proved. Up to {texts.percent(NEGLIGIBLE_LOSS)} "
    "counts as nothing. Unknown if the same rounds have no ceiling; with_ceiling=true measures it.",
    "Suspected: the largest parts of workers x time; this is no proof. System CPU and storage hold what one "
    "process needs for the work, too. A loss without a large part is told by all parts, which sum to it.",
    "Proved: an ablation in the same rounds halved the counter of this cause and saved about the time of the "
    "breakdown, shown as a share of the time, with an interval above 0 (Holm).",
)
ABLATION_NOTES = (
    "Time saved: share of the time with no policy changed. The intervals hold for all ablations of a point "
    f"together with {texts.percent(LEVEL)} (Holm). `aa` changes nothing.",
    "Counter: the quantity that the ablation should lower, mean of a trial without and with it. Shares are "
    "of P x T.",
)
INTERFERENCE_NOTES = (
    "Slowdown: seconds of the same tasks beside busy neighbours / beside idle ones, with the 95 % interval "
    "over the rounds of turns. Spinners compute in the first cache, streamers copy memory, mappers touch "
    "fresh pages.",
    f"Contends for: the resource whose load alone explains at least half of a slowdown of "
    f"{texts.percent(MIN_SLOWDOWN - 1)} or more beside copies.",
)


@section("strong_scaling", "diagnose", chapter=CHAPTER, order=21)
def breakdown(results: Results) -> Outputs:
    """Yield the breakdowns of the cells with no policy changed."""
    trials, notes = results.ablated
    split = breakdowns(trials[trials["ablation"] == UNTOUCHED], results.parts)
    if split.empty:
        raise NoTrialsError("no sequential reference with recorded tasks (trace=true) was measured")
    means = split.groupby(list(STRONG), as_index=False).mean(numeric_only=True)
    columns: Any = {"P x T (s)": lambda row: texts.written(row["total_s"])}
    for part in PARTS:
        head = part.removesuffix("_s").replace("_", "\n")
        columns[head] = lambda row, part=part: texts.percent(row[part] / row["total_s"], 1)
    columns["page faults"] = lambda row: f"{row['faults']:,.0f}"
    shares = bar_shares(means)
    title = f"{results.title}: where the worker-seconds go"
    yield "breakdown", Chart(breakdown_figure(shares), split, title, texts.caption(trials))
    title, notes = f"{results.title}: time breakdown", [BREAKDOWN_NOTE, *notes]
    yield "breakdown", text_table(title, by_place(means), STRONG, columns, notes)


def bar_shares(means: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each bar in the mean P x T up to the CPUs, with saving if any trial saved."""
    within = means[means["workers"] <= means["usable_cpus"]]
    block = by_place(next(iter(by_saving(within).values())))
    names = block["strategy"].map(texts.label) + ", " + block["workers"].astype(str)
    shares = pd.DataFrame({bar: block[parts].sum(axis=1) for bar, (parts, _) in BARS.items()})
    return shares.div(block["total_s"], axis=0).set_index(names)


@styled
def breakdown_figure(shares: pd.DataFrame) -> Figure:
    """Draw the shares of the bars in per cent; one below the reference lies below zero."""
    figure = Figure(figsize=(6.4, 1.7 + 0.34 * len(shares)), layout="constrained")
    axes = figure.subplots()
    colors: Any = [color for _, color in BARS.values()]
    (100 * shares).plot.barh(stacked=True, ax=axes, color=colors, width=0.75, legend=False)
    axes.invert_yaxis()
    axes.set(xlabel="share of workers x time (%)", ylabel="")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(False, axis="y")
    legend(figure)
    return figure


@section("diagnose", "strong_scaling", chapter=CHAPTER, order=20)
def verdict(results: Results) -> Outputs:
    """Yield the verdicts. Raises BreakdownError if the tasks do not fit their trial."""
    trials, notes = results.ablated
    judged = verdicts(trials, results.parts)
    columns: Columns = {
        "images/s": lambda row: texts.written(row["images_per_s"]),
        "verdict": _verdict,
        "lost": lambda row: texts.percent_interval(row["loss"], row["low"], row["high"]),
        "suspected": _suspected,
        "proved": _proved,
    }
    is_beyond = judged["verdict"] == OVERSUBSCRIBED
    if is_beyond.any():
        notes = [f"Without a verdict: {pluralise(is_beyond.sum(), 'cell')} with {OVERSUBSCRIBED}.", *notes]
    title, shown = f"{results.title}: what stops it", by_place(judged[~is_beyond])
    yield "verdicts", text_table(title, shown, STRONG, columns, [*VERDICT_NOTES, *notes])


def _verdict(row: Any) -> str:
    verdict, rounds = str(row["verdict"]), row["rounds_to_decide"]
    return f"{verdict}; about {rounds:.0f} rounds in all would decide" if rounds > 0 else verdict


def _suspected(row: Any) -> str:
    if row["loss_parts"]:
        return f"none; the loss consists of {texts.shares(row['loss_parts'])}"
    names = filter(None, row["suspected"].split(", "))
    return texts.shares({name: row["ranking"][name] for name in names}) or texts.DASH


def _proved(row: Any) -> str:
    savings = row["savings"].items()
    return ", ".join(f"{name} {texts.percent_interval(*saving)}" for name, saving in savings) or texts.DASH


@section("ablation", "aa", "diagnose", chapter="Time that each policy saves", order=60)
def ablation(results: Results) -> Outputs:
    """Yield the time that each policy saves if it alone is changed."""
    trials, notes = results.ablated
    saved = gains(trials, results.parts)
    stem = "ablation" if results.experiment == "diagnose" else "table"
    columns: Columns = {
        "images/s": lambda row: texts.written(row["images_per_s"]),
        "time saved": lambda row: texts.percent_interval(row["gain"], row["low"], row["high"], "+"),
        "counter": _counter,
    }
    missing = trials[trials["status"] != OK].drop_duplicates([*POINT, "ablation", "status"])
    without_time = [
        f"{row['ablation']}, {texts.label(row['strategy'])} with {workers}: {row['status']}."
        for row in missing.to_dict("records")
        for workers in [pluralise(row["workers"], "worker")]
    ]
    title, keys = f"{results.title}: time saved", [*POINT, "ablation", "rounds"]
    yield stem, text_table(title, saved, keys, columns, [*without_time, *ABLATION_NOTES, *notes])


def _counter(row: Any) -> str:
    if row["counter"] is None or pd.isna(row["before"]):
        return texts.DASH
    write = texts.percent if row["counter"] in RANKED else "{:,.0f}".format
    return f"{row['counter']} {write(row['before'])} → {write(row['after'])}"


@section("interference", "diagnose", chapter="CPU or memory", order=70)
def interference(results: Results) -> Outputs:
    """Yield the slowdowns of a task beside neighbours, and the resource that it contends for."""
    trials, notes = results.ablated
    tasks = slowdowns(trials, results.parts)
    if tasks.empty:
        raise NoTrialsError("no turns were recorded: run `make interference`")
    intervals = tasks[["slowdown", "low", "high"]].itertuples(index=False)
    beside = tasks.assign(text=[texts.with_interval(*interval) for interval in intervals])
    shown = beside.pivot(index=["saving", "workers"], columns="neighbour", values="text")
    shown = shown[beside["neighbour"].unique()]
    resources = [contended_resources(tasks, workers, saving) for saving, workers in shown.index]
    shown["contends for"] = [", ".join(each) or "none shown" for each in resources]
    stem = "table" if results.experiment == "interference" else "interference"
    title = f"{results.title}: slowdown of a task beside neighbours"
    yield stem, plain_table(title, tasks, [*INTERFERENCE_NOTES, *notes], shown.reset_index())
