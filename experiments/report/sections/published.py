"""The published study: its tables recomputed from its seconds, and its claims tested on the results."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from experiments.analysis import published, scorecard
from experiments.analysis.select import STRONG
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import by_place, plain_table, text_table
from experiments.report.texts import percent, percent_interval, with_interval, written

CHAPTER = "The study's claims and tables"
SOURCE = "T. Botarelli 2025, 2 x Intel Xeon Silver 4314"
LAW_NOTES = [
    "Amdahl 1967: 1/S = 1/P + s (1 - 1/P). USL, Gunther 1993: 1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1). "
    "A peak at ∞ workers is a limit.",
    "Off by: root mean square of the relative residuals.",
]
REASONS = {
    scorecard.NOT_MEASURED: "not measured; `make {target}` measures it",
    scorecard.FEW_CPUS: "this machine has too few CPUs to show it",
    scorecard.AT_LIMIT: "the interval contains the limit; more rounds may decide",
}


class ClaimWords(NamedTuple):
    """A claim in words, what measures and what tests it, and what the study printed."""

    claim: str
    target: str
    quantity: str
    write: Callable[[float, float, float], str]
    published: str


CLAIMS = {
    "saturation": ClaimWords(
        "The speedup saturates below the number of cores",
        *("strong-scaling", "speed of P_2 / speed with half the workers", with_interval),
        "7.59 at 16 ranks, saving; 7.73 at 32 ranks, no saving; 32 cores",
    ),
    "p1_like_p2": ClaimWords(
        "P_1 and P_2 are close to each other",
        *("strong-scaling", "time of P_1 / time of P_2", with_interval),
        "0.91 to 1.04 times as long at 2 to 64 ranks",
    ),
    "pq_never_pays": ClaimWords(
        "P_Q never pays",
        *("strong-scaling", "time of P_Q / time of the better of P_1 and P_2", with_interval),
        "P_Q over P_2: 1.10 to 2.52 times as long at 2 to 64 ranks",
    ),
    "saving_costs_nothing": ClaimWords(
        "Not saving is no faster with few workers",
        *("strong-scaling", "time of P_2 without saving / with saving", with_interval),
        "1.05 times as long with 2 ranks",
    ),
    "superlinear": ClaimWords(
        "Weak scaling is superlinear below 32 ranks",
        *("weak-scaling", "efficiency of P_2", percent_interval),
        "120 % at 2, 154 % at 8, 131 % at 16, 67 % at 32 ranks",
    ),
    "collapse": ClaimWords(
        "Weak scaling collapses at 2000x2000 pixels",
        *("weak-scaling", "time of P_2 / time with half the workers", with_interval),
        "64 ranks take 5.7 times as long as 32",
    ),
    "files_are_cheap": ClaimWords(
        "Reading and saving are not the bottleneck",
        *("strong-scaling", "share of reading and saving in the seconds of P_2's tasks", percent_interval),
        "0.08 s of the master's 10 s are in imread, at 32 ranks",
    ),
}
CLAIM_NOTE = (
    "Confirmed or refuted: the 95 % interval lies on one side of the claim's limit. P_1 and P_2 are close "
    "within 15 %. Not saving is faster from 5 % on. A speedup is saturated if twice the workers give less "
    "than 10 %."
)


@section("strong_scaling", chapter=CHAPTER, order=91)
def study(results: Results) -> Outputs:
    """Yield the laws fitted to the study's strong scaling."""
    fitted = by_place(published.fit_laws())
    title = f"Published {results.title.lower()} ({SOURCE}), laws"
    columns = {name.replace("_", "\n", 1).replace("_", " "): _law_text(name) for name in published.QUANTITIES}
    yield "published_laws", text_table(title, fitted, STRONG, columns, LAW_NOTES)


def _law_text(name: str) -> Callable[[Any], str]:
    write = percent if name.endswith("off_by") else written
    return lambda row: write(row[name])


@section("strong_scaling", chapter=CHAPTER, order=90)
def claims(results: Results) -> Outputs:
    """Yield a verdict on each claim."""
    tested = {name: results.beside(name) for name in published.POINTS}
    trials = {name: one.trials for name, one in tested.items()}
    findings = scorecard.scorecard(trials, {name: one.parts for name, one in tested.items()})
    data = pd.DataFrame([_row(finding) for finding in findings])
    yield "scorecard", plain_table("The study's claims", data, [CLAIM_NOTE])


def _row(finding: scorecard.Finding) -> dict[str, str]:
    """Return a finding as a row of the table, with the claim and the study's figures in words."""
    words = CLAIMS[finding.claim]
    values = ", ".join(f"{words.write(*each)} with {n}" for n, each in finding.quantities.items())
    measured = f"{words.quantity}: {values} workers" if values else ""
    reason = REASONS.get(finding.reason, "").format(target=words.target)
    return {
        "claim": words.claim,
        "verdict": finding.verdict,
        "measured": measured,
        "published": words.published,
        "reason": reason,
    }
