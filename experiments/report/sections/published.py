"""The published study: its tables recomputed from its seconds, and its claims tested on the results."""

from typing import Any

import pandas as pd

from experiments.analysis import published, scorecard
from experiments.analysis.select import STRONG
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import by_place, plain_table, text_table
from experiments.report.texts import percent, percent_interval, with_interval, written

CHAPTER = "The study's claims and tables"
LAW_NOTES = [
    "Amdahl 1967: 1/S = 1/P + s (1 - 1/P). USL, Gunther 1993: 1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1). "
    "A peak at ∞ workers is a limit.",
    "Off by: root mean square of the relative residuals.",
]
REASONS = {
    scorecard.NOT_MEASURED: "not measured; `make {target}` measures it",
    scorecard.FEW_CPUS: "this machine has too few CPUs to show it",
    scorecard.AT_LIMIT: "no interval, or the limit lies within it; more rounds may decide",
}
CLAIM_NOTE = (
    "Confirmed or refuted: the 95 % interval lies on one side of the claim's limit. P_1 and P_2 are close "
    "within 15 %. Not saving is faster from 5 % on. A speedup is saturated if twice the workers give less "
    "than 10 %. Workers beyond the CPUs test no claim."
)


@section("strong_scaling", chapter=CHAPTER, order=91)
def study(results: Results) -> Outputs:
    """Yield the laws fitted to the study's strong scaling."""
    fitted = by_place(published.fit_laws())
    title = f"Published {results.title.lower()} (T. Botarelli 2025, 2 x Intel Xeon Silver 4314), laws"
    columns: Any = {}
    for name in published.QUANTITIES:
        write, head = percent if name.endswith("off_by") else written, name.replace("_", "\n", 1)
        columns[head.replace("_", " ")] = lambda row, name=name, write=write: write(row[name])
    yield "published_laws", text_table(title, fitted, STRONG, columns, LAW_NOTES)


@section("strong_scaling", chapter=CHAPTER, order=90)
def claims(results: Results) -> Outputs:
    """Yield a verdict on each claim."""
    trials, rows = {name: results.beside(name).trials for name in published.POINTS}, []
    for finding in scorecard.scorecard(trials, results.parts):
        claim = published.claims()[finding.claim]
        write = percent_interval if claim["is_share"] else with_interval
        values = ", ".join(f"{write(*each)} with {n}" for n, each in finding.quantities.items())
        measured = f"{claim['quantity']}: {values} workers" if values else ""
        reason = REASONS.get(finding.reason, "").format(target=claim["target"])
        rows.append([claim["claim"], finding.verdict, measured, claim["published"], reason])
    data = pd.DataFrame(rows, columns=["claim", "verdict", "measured", "published", "reason"])
    yield "scorecard", plain_table("The study's claims", data, [CLAIM_NOTE])
