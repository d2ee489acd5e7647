"""What stops each strategy: one page of verdicts in words (see `analysis.verdict`)."""

from typing import Any

import pandas as pd

from experiments.analysis.ablation import REMOVED_BY
from experiments.analysis.interference import slowdowns
from experiments.analysis.text import label, percent, percent_interval, pluralise, with_or_without, written
from experiments.analysis.verdict import MIN_SUSPECT_SHARE, NEGLIGIBLE_LOSS, OVERSUBSCRIBED, verdicts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.interference import answers
from experiments.report.tables import Table, point_table

NOTES = (
    "Lost: of the time, against what was shown to be possible here: the rate of as many busy copies of the "
    f"program (the ceiling), or an ablation that was proved. Up to {percent(NEGLIGIBLE_LOSS)} counts as "
    "nothing. With more workers than CPUs: against as many workers as CPUs.",
    "Suspected: what the time breakdown ranks first (shares of workers x time, at most); it proves nothing.",
    "Proved: its ablation, in the same rounds, halved its counter and gave back about the time that the "
    "breakdown said, surely above 0 (Holm).",
)


@section("diagnosis", "strong_scaling", chapter="Where the time goes", order=51, prints="verdicts")
def diagnosis(results: Results) -> Outputs:
    """The verdicts on all that was measured. Raises BreakdownError where tasks do not fit their trial."""
    trials, notes = results.one_workload
    judged = verdicts(trials, results.parts)
    words = [sentence(row) for row in judged[judged["verdict"] != OVERSUBSCRIBED].to_dict("records")]
    words += answers(slowdowns(trials, results.parts))
    yield "verdicts", [verdict_table(judged, f"{results.title}: what stops it", [*words, *NOTES, *notes])]


def verdict_table(judged: pd.DataFrame, title: str, notes: list[str]) -> Table:
    """What limits each strategy at each count, and below it in words."""
    columns = {
        "images/s": lambda row: written(row["images_per_s"], ".3g"),
        "verdict": lambda row: str(row["verdict"]),
        "lost": lambda row: percent_interval(row["loss"], row["low"], row["high"]),
        "suspected": lambda row: row["suspected"] or "-",
        "proved": lambda row: row["proved"] or "-",
    }
    return point_table(title, judged, columns, notes, judged.drop(columns=["ranking", "gains"]))


def sentence(row: Any) -> str:
    """A verdict in words."""
    workers = pluralise(row["workers"], "worker")
    where = f"{label(row['strategy'])} with {workers}, {with_or_without(row['saving'])}: {row['verdict']}"
    lost = percent_interval(row["loss"], row["low"], row["high"])
    words = f"{where}; {lost} of its time is lost against what is possible here"
    if pd.isna(row["loss"]):
        words = f"{where}; no ceiling was measured beside it (with_ceiling=true)"
    elif row["rounds_to_decide"] > 0:
        words += f"; about {row['rounds_to_decide']:.0f} rounds in all would decide"
    proofs = (_proof(cause, row) for cause in filter(None, row["proved"].split(", ")))
    return f"{'. '.join([words, *proofs, _suspicion(row)])}."


def _proof(cause: str, row: Any) -> str:
    name = next(name for name in row["gains"] if REMOVED_BY[name][0] == cause)
    return f"Proved: {cause}; without it ({name}) it takes {percent_interval(*row['gains'][name])} less"


def _suspicion(row: Any) -> str:
    shares = [
        f"{name} {percent(share)}" for name, share in row["ranking"].items() if share >= MIN_SUSPECT_SHARE / 2
    ]
    return f"Suspects, of all worker-seconds: {', '.join(shares)}" if shares else "Nothing is suspected"
