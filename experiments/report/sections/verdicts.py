"""The verdicts on what stops each strategy from being faster, as a table and in words."""

from typing import Any

import pandas as pd

from experiments.analysis.causes import BY_ABLATION
from experiments.analysis.interference import slowdowns
from experiments.analysis.select import STRONG
from experiments.analysis.verdict import MIN_SUSPECT_SHARE, NEGLIGIBLE_LOSS, OVERSUBSCRIBED, verdicts
from experiments.report import texts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.interference import answers
from experiments.report.tables import Table, by_place, text_table

NOTES = (
    "Lost: share of the time, relative to what this machine was shown to do: the rate of as many busy copies "
    f"of the program (the ceiling), or an ablation that was proved. Up to {texts.percent(NEGLIGIBLE_LOSS)} "
    "counts as nothing. With more workers than CPUs: relative to as many workers as CPUs.",
    "Suspected: the largest parts of the time breakdown (shares of workers x time); this is no proof.",
    "Proved: an ablation in the same rounds halved the counter of this cause and saved about the time of the "
    "breakdown, with an interval above 0 (Holm).",
)


@section("diagnose", "strong_scaling", chapter="Where the time goes", order=51)
def verdict(results: Results) -> Outputs:
    """Yield the verdicts. Raises BreakdownError if the tasks do not fit their trial."""
    trials, notes = results.one_workload
    judged = verdicts(trials, results.parts)
    sentences = [sentence(row) for row in judged[judged["verdict"] != OVERSUBSCRIBED].to_dict("records")]
    sentences += answers(slowdowns(trials, results.parts))
    yield "verdicts", verdict_table(judged, f"{results.title}: what stops it", [*sentences, *NOTES, *notes])


def verdict_table(judged: pd.DataFrame, title: str, notes: list[str]) -> Table:
    """Return the verdict on each strategy at each worker count."""
    columns = {
        "images/s": lambda row: texts.written(row["images_per_s"], ".3g"),
        "verdict": lambda row: str(row["verdict"]),
        "lost": lambda row: texts.percent_interval(row["loss"], row["low"], row["high"]),
        "suspected": lambda row: row["suspected"] or texts.DASH,
        "proved": lambda row: row["proved"] or texts.DASH,
    }
    return text_table(title, by_place(judged.drop(columns=["ranking", "gains"])), STRONG, columns, notes)


def sentence(row: Any) -> str:
    """Return a verdict in words."""
    strategy, workers = texts.label(row["strategy"]), texts.pluralise(row["workers"], "worker")
    cell = f"{strategy} with {workers}, {texts.with_or_without(row['saving'])}: {row['verdict']}"
    lost = texts.percent_interval(row["loss"], row["low"], row["high"])
    words = f"{cell}; {lost} of its time is lost relative to what this machine can do"
    if pd.isna(row["loss"]):
        words = f"{cell}; no ceiling was measured in the same rounds (with_ceiling=true)"
    elif row["rounds_to_decide"] > 0:
        words += f"; about {row['rounds_to_decide']:.0f} rounds in all would decide"
    proofs = (_proof(cause, row) for cause in filter(None, row["proved"].split(", ")))
    return f"{'. '.join([words, *proofs, _suspicion(row)])}."


def _proof(cause: str, row: Any) -> str:
    name = next(name for name in row["gains"] if BY_ABLATION[name].name == cause)
    return f"Proved: {cause}; without it ({name}) it takes {texts.percent_interval(*row['gains'][name])} less"


def _suspicion(row: Any) -> str:
    least = MIN_SUSPECT_SHARE / 2
    shares = [f"{name} {texts.percent(share)}" for name, share in row["ranking"].items() if share >= least]
    return f"Suspects, of all worker-seconds: {', '.join(shares)}" if shares else "Nothing is suspected"
