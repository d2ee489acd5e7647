"""The recommendation: one screen, and the same as one row of data."""

import math
from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from augment.strategies.engines.executors import DataLoader
from augment.task_log.layout import STAGES
from experiments import COMMAND
from experiments.analysis.candidates import Candidate, names
from experiments.analysis.causes import NAMED
from experiments.analysis.occasions import PRIOR, PRIOR_DOF
from experiments.analysis.recommendation import Ceiling, Recommendation, RefusedError, recommend
from experiments.analysis.statistics import interval_columns
from experiments.analysis.verdict import LOSS, NOTHING_TO_GAIN, OVERSUBSCRIBED
from experiments.report import texts
from experiments.report.charts import Chart, rate_figure, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import NO_INTERVAL, NOW, Table, measure_columns, text_table
from experiments.store.columns import FAILED, OK
from experiments.wording import duration, pluralise

LARGE_PART, NAMED_PART, SHOWN_PART = 1 / 3, 0.1, 0.01  # of a task's seconds
SPENDS = "What a task spends its time on"
SPENDS_NOTE = "Shares of a task's seconds. Those of the transforms are parts of the stage `transform`."
SCREEN = 92  # characters of a line, its heading beside it
LEAST = 0.0005  # a smaller bound rounds to 0.0 %
BEST = "no other candidate is faster (95 %)"
SUSPECTED = 0.02  # of all worker-seconds, at least
ROW = [
    *("command", "strategy", "workers", "runtime", "images_per_s", "low", "high", "share_of_ceiling"),
    *("whole_s", "whole_low_s", "whole_high_s", "peak_rss_bytes", "at_most_slower_percent", "refused"),
]
REFUSALS = {
    "not asked": f"no search is recorded; run {COMMAND} experiment=advise",
    "failed": "nothing could be measured: {error}",
    "busy": "other processes took {share} of the CPUs meanwhile; end them and run the same command again",
    "few rounds": "advise.budget_s={budget_s:.0f} holds no two rounds of these images; give {more} "
    "(or the search was stopped; give its command again)",
    "unsure": "after {rounds} rounds even {name} may be {share} slower than the best; give {more}",
}


@section("advise", chapter="Recommendation", order=10)
def recommendation(results: Results) -> Outputs:
    """Yield the recommendation, or why there is none, and the candidates that it was chosen from."""
    try:
        advice = recommend(results.trials, results.parts, results.candidates)
    except RefusedError as error:
        reason = refusal(error)
        yield "recommendation", _screen([["None", fill(reason, SCREEN)]], {"refused": reason})
        return
    share = advice.ceiling.share.value if advice.ceiling else math.nan
    times = whole_s(advice, int(advice.asked["tasks"].max()))
    figures = (*advice.images_per_s, share, *times, advice.peak_rss_bytes, 100 * advice.bound, "")
    row = dict(zip(ROW, (advice.command, *advice.candidate, *figures), strict=True))
    yield "recommendation", _screen(lines(advice), row)
    measured, trials = measured_candidates(advice), advice.comparison.trials
    figure = rate_figure(measured, int(trials["usable_cpus"].iloc[0]))
    title = "The search: images per second in its minutes, and memory"
    yield "rate", Chart(figure, measured, title, texts.caption(trials))
    keys = ["strategy", "workers", "runtime", "rounds"]
    columns = {
        **measure_columns(("images_per_s", "peak_rss_bytes", "times_as_long")),
        "at most slower": lambda row: texts.percent(row["at_most_slower"]),
    }
    notes = [NOW, NO_INTERVAL, *map(texts.left_out_note, advice.comparison.left_out)]
    yield "candidates", text_table("Candidates", measured, keys, columns, notes)
    if advice.spent:
        spends, columns = task_spends(advice.spent), {"share": lambda row: texts.percent(row["share"], 1)}
        yield "task_spends", Chart(spends_figure(spends), spends, SPENDS, texts.caption(advice.longest))
        yield "task_spends", text_table("Parts of a task", spends, ["part", "of"], columns, [SPENDS_NOTE])


def _screen(shown: list[list[str]], row: dict[str, Any]) -> Table:
    return Table("Recommendation", ["", ""], shown, pd.DataFrame([row], columns=ROW))


def refusal(error: RefusedError) -> str:
    """Return why there is no recommendation, and what to do."""
    figures, share = error.figures, texts.percent(error.figures.get("share", 0))
    name = _name(figures["candidate"]) if "candidate" in figures else ""
    more = f"advise.budget_s={2 * figures.get('budget_s', 0):.0f}"
    return REFUSALS[error.reason].format(**figures | {"name": name, "more": more, "share": share})


def lines(advice: Recommendation) -> list[list[str]]:
    """Return one screen: a heading and a text for each line."""
    best, tasks = advice.candidate, int(advice.asked["tasks"].max())
    reached = [f"{texts.with_interval(*advice.images_per_s)} augmented images per second"]
    reached += [f"{texts.percent_interval(*advice.ceiling.share)} of the ceiling"] if advice.ceiling else []
    reached += [f"{texts.written(advice.peak_rss_bytes / 1e6)} MB of memory"]
    bound = f"at most {texts.percent(advice.bound, 1)} slower than the best (95 %)"
    in_pytorch = f"DataLoader(dataset, num_workers={best.workers}, in_order=False)"
    shown = [
        ("Run", [advice.command]),
        ("Reaches", [", ".join(reached), bound if advice.bound >= LEAST else BEST]),
        ("The whole", [f"{pluralise(tasks, 'augmentation')} in {whole_time(advice, tasks)}, start to end"]),
        ("A million", [f"augmentations in {whole_time(advice, 1_000_000)}"]),
        *wanted(advice),
        *spending(advice.spent),
        ("In PyTorch", [in_pytorch] if best.strategy == DataLoader.name else []),
        ("Runner-up", [_runner_up(advice)]),
        ("What stops it", [stops(advice.ceiling, best)]),
        ("What spoils it", list(advice.warnings) or ["nothing was found"]),
        ("Rests on", list(rests_on(advice))),
    ]
    headed = [(head if not k else "", text) for head, several in shown for k, text in enumerate(several)]
    return [[head, text if head == "Run" else fill(text, SCREEN)] for head, text in headed]


def whole_time(advice: Recommendation, tasks: int) -> str:
    """Return the time of the whole command for so many tasks, with its interval."""
    shown, low, high = (duration(s) for s in whole_s(advice, tasks))
    return f"{shown} ({low} – {high})"


def whole_s(advice: Recommendation, tasks: int) -> list[float]:
    """Return the seconds of the whole command for so many tasks, and their interval."""
    value, low, high = advice.images_per_s
    return [tasks / rate + advice.outside_s for rate in (value, high, low)]


def wanted(advice: Recommendation) -> Iterator[tuple[str, list[str]]]:
    """Yield a line if what is wanted is not surely held."""
    asked = advice.asked.iloc[-1][["images_per_s", "memory_gb"]].dropna()
    wishes = " ".join(f"advise.{name}={value:.10g}" for name, value in asked.items())
    if wishes and not advice.comparison.suitable:
        yield "Wanted", [f"{wishes}: no candidate surely holds that; the best of all is shown"]
    elif advice.images_per_s.low < asked.get("images_per_s", 0.0):
        yield "Wanted", [f"{wishes}: the predicted rate of this candidate does not surely hold that"]


def spending(spent: Mapping[str, float]) -> Iterator[tuple[str, list[str]]]:
    """Yield a line on what a task spends its time on, if one part takes more than LARGE_PART."""
    large = {name: share for name, share in spent.items() if share >= NAMED_PART}
    if max(spent.values(), default=0) > LARGE_PART:
        yield "A task spends", [f"its time on {texts.shares(large)} (stages, and of transform its parts)"]


def _name(each: Candidate) -> str:
    workers = pluralise(each.workers, "worker")
    return f"{texts.label(each.strategy)} with {workers}, runtime={each.runtime_name}"


def _runner_up(advice: Recommendation) -> str:
    comparison, best = advice.comparison, advice.candidate
    others = [each for each in comparison.ranked if each in comparison.bounds and each != best]
    if not others:
        return "none was measured"
    behind = comparison.model.log_ratio(others[0], best).exp()
    return f"{_name(others[0])}: {texts.with_interval(*behind)} times as long"


def stops(ceiling: Ceiling | None, candidate: Candidate) -> str:
    """Return what keeps a candidate from being faster, in short sentences."""
    if ceiling is None:
        return "not known: the ceiling was not measured; it takes time, two CPUs and trace=true"
    times = texts.with_interval(*ceiling.speedup)
    machine = f"{ceiling.copies} busy copies of the program do {times} times what one does"
    if (verdict := ceiling.verdict) is None:
        return f"that it is one process; {machine}"
    ranking = verdict["ranking"].items()
    large = {name: share for name, share in ranking if share >= SUSPECTED and name in NAMED}
    named = [f"{name} ({texts.percent(share)})" for name, share in large.items()]
    first = " and ".join(named[:2])
    suspected = f"suspected: {first} of all worker-seconds" if named else "nothing is suspected"
    if verdict["loss_parts"]:
        suspected = f"many small parts: {texts.shares(verdict['loss_parts'])} of the time"
    share = texts.percent_interval(*(verdict[end] for end in ("loss", "low", "high")))
    undecided = f"not decided: at most {texts.percent(verdict['high'])} is lost against the ceiling"
    proved = f"{verdict['proved']}, proved" if verdict["proved"] else suspected
    answers = {
        NOTHING_TO_GAIN: f"the machine, proved. It reaches the ceiling, where {machine}.",
        OVERSUBSCRIBED: f"the machine: {candidate.workers} workers share fewer CPUs, and {machine}.",
        LOSS: f"{proved}. Lost against the ceiling: {share} of the time. At the ceiling, {machine}.",
    }
    return answers.get(verdict["verdict"], f"{undecided}, where {machine}; {suspected}.")


def rests_on(advice: Recommendation) -> Iterator[str]:
    """Yield what was measured, and what was not."""
    comparison, asked = advice.comparison, advice.asked
    trials = comparison.trials.sort_values("started_at")
    ok, failed = trials[trials["status"] == OK], trials[trials["status"] == FAILED]
    rounds = [comparison.model.rounds[each] for each in comparison.bounds]
    row, files = ok.iloc[-1], pluralise(int(asked["files"].iloc[-1]), "image")
    yield (
        f"Measured: {row['n_images']:.0f} of {files} x {row['n_augmentations']} augmentations, "
        f"{pluralise(len(comparison.model.cells), 'candidate')}, {len(rounds)} of them in "
        f"{texts.span(rounds, 'round')}, {pluralise(len(ok), 'trial')}, on {row['machine']}."
    )
    once = [each for each in comparison.model.cells if each not in comparison.bounds]
    tried = {*names(trials)}
    left_out = asked[[each not in tried for each in names(asked)]]
    causes: list[tuple[str, Any]] = [("Measured once only", once)]
    causes += [(f"Failed: {error}", names(rows)) for error, rows in failed.groupby("error", sort=False)]
    reasons = left_out["left_out"].fillna("no time within the budget")
    causes += [(f"Not measured: {reason}", names(rows)) for reason, rows in left_out.groupby(reasons)]
    for cause, several in causes:
        if several:
            named = dict.fromkeys("{} with {} ({})".format(*each) for each in several)
            yield f"{cause}: {', '.join(named)}."
    shown = advice.occasions.dof - PRIOR_DOF
    known = f"by this folder's {shown + 1:.0f} and a prior of {texts.percent(PRIOR)}" if shown else "assumed"
    differ = f"occasions differ by {texts.percent(math.sqrt(advice.occasions.variance))} ({known})"
    yield f"The rate and the times are those of another day, with their intervals: {differ}."
    yield "Times hold for files in the page cache, as they are after a first reading."
    yield from map(texts.left_out_note, comparison.left_out)


def measured_candidates(advice: Recommendation) -> pd.DataFrame:
    """Return a row for every candidate that was measured, the fastest first; its rate is of the whole."""
    comparison, ranked = advice.comparison, advice.comparison.ranked
    model, tasks = comparison.model, advice.asked["tasks"].max()
    data = pd.DataFrame(ranked).rename(columns={"runtime_name": "runtime"})
    data["rounds"] = [model.rounds[each] for each in ranked]
    rates = [model.log_seconds(each).inverse().exp().times(tasks) for each in ranked]
    ratios = [model.log_ratio(each, advice.candidate).exp() for each in ranked]
    data[interval_columns("images_per_s")], data[interval_columns("times_as_long")] = rates, ratios
    data["at_most_slower"] = [comparison.bounds.get(each, math.nan) for each in ranked]
    data["peak_rss_bytes"] = [comparison.of(each)["peak_rss_bytes"].mean() for each in ranked]
    saving = bool(comparison.trials["saving"].iloc[0])
    return data.assign(status=OK, saving=saving, recommended=[each == advice.candidate for each in ranked])


def task_spends(spent: Mapping[str, float]) -> pd.DataFrame:
    """Return a row per part of a task: its stages, and the transforms, which are parts of `transform`."""
    rows = [(part, "task" if part in STAGES else "transform", share) for part, share in spent.items()]
    return pd.DataFrame(rows, columns=["part", "of", "share"]).sort_values("share", ascending=False)


@styled
def spends_figure(spends: pd.DataFrame) -> Figure:
    """Draw the parts of a task as bars, the stages above the transforms."""
    shown = spends[spends["share"] >= SHOWN_PART]
    blocks = shown.groupby("of")
    figure = Figure(figsize=(6.4, 1.2 + 0.24 * len(shown)), layout="constrained")
    grid = figure.subplots(len(blocks), 1, squeeze=False, sharex=True, height_ratios=[*blocks.size()]).flat
    for axes, (whole, block) in zip(grid, blocks, strict=True):
        bars = axes.barh(block["part"], 100 * block["share"], color="#0072B2", height=0.7)
        axes.bar_label(bars, [texts.percent(share) for share in block["share"]], padding=3, fontsize=9)
        axes.set_title(f"parts of the {whole}", loc="left")
        axes.invert_yaxis()
        axes.grid(False, axis="y")
    axes.set(xlabel="share of the task (%)", xlim=(0, 100))
    return figure
