"""The confusion matrix of planted causes, and whether what is asked of the verdict holds."""

from typing import Any

import pandas as pd
from scipy import stats

from experiments.analysis import breakdown, verdict
from experiments.analysis.text import percent, percent_interval
from experiments.calibration.cases import CAUSES, CLEAR, DECOYS, NOTHING, SINGLE, Try
from experiments.report.tables import Table, plain_table

TITLE = "Planted causes, and what the verdict proved or suspected first"
NONE = "none"
NOT_OF_DECOYS = {breakdown.STORAGE, breakdown.PAGE_FAULTS}
UNDECIDED = (verdict.NOTHING_TO_GAIN, verdict.NOT_DECIDED)
FOUND, WRONGLY = 0.9, 0.05  # of the tries: at least, at most


def judged(tries: pd.DataFrame) -> pd.DataFrame:
    """The tries with the cause that was found `first`, one that was proved before one that was suspected,
    whether that is `right`, and whether a cause was proved `wrongly`, which was not planted."""
    rows = [_judged(Try(row["cause"], row["level"]), row) for row in tries.to_dict("records")]
    return tries.assign(**pd.DataFrame(rows, tries.index, ["first", "right", "wrongly"]))


def _judged(each: Try, row: Any) -> tuple[str, bool, bool]:
    proved, suspected = ([*filter(None, row[name].split(", "))] for name in ("proved", "suspected"))
    first = [*proved, *suspected, NONE][0]
    right = first in each.planted
    if each.cause in DECOYS:
        right = not NOT_OF_DECOYS & {*proved, *suspected}
    elif each.cause == NOTHING:
        right = row["verdict"] in UNDECIDED
    return first, right, not {*proved} <= each.planted


def asked(found: pd.DataFrame) -> dict[str, bool]:
    """What is asked of the verdict on the `judged` tries, in a line with what came of it, and whether it
    holds; without what was not tried."""
    cause, wrongly = found["cause"], int(found["wrongly"].sum())
    clear = found[cause.isin(SINGLE) & (found["level"] >= CLEAR)].groupby("cause")["right"].mean()
    decoys, nothing = found[cause.isin(DECOYS)], found[cause == NOTHING]
    blamed = int((~decoys["right"].astype(bool)).sum())
    held = {
        f"A cause that was not planted is proved in {percent(WRONGLY)} of the tries at most: "
        f"{wrongly} of {len(found)}": wrongly <= WRONGLY * len(found)
    }
    if len(clear):
        least = f"{percent(FOUND)} of the tries at least: {percent(clear.min())}, of {clear.idxmin()}"
        held[f"A single cause of {percent(CLEAR)} and more is right in {least}"] = bool(clear.min() >= FOUND)
    if len(decoys):
        held[f"No decoy is blamed on storage or page faults: {blamed} of {len(decoys)}"] = not blamed
    if len(nothing):
        said = f"{' or '.join(UNDECIDED)}: {', '.join(sorted(nothing['verdict'].unique()))}"
        held[f"Where nothing is planted the verdict is {said}"] = bool(nothing["right"].all())
    return held


def table(tries: pd.DataFrame) -> Table:
    """A row per cause and level, a column per cause that was found first; `right` with Clopper-Pearson limits
    of 95 %; below it what is asked."""
    found = judged(tries)
    heads = [head for head in (*verdict.CAUSES, NONE) if head in {*found["first"]}]
    rows = [
        {"cause": cause, "level": level, "tries": len(block)}
        | {head: int((block["first"] == head).sum()) for head in heads}
        | _right(int(block["right"].sum()), len(block))
        | {"proved wrongly": int(block["wrongly"].sum())}
        for cause in CAUSES
        for level, block in found[found["cause"] == cause].groupby("level")
    ]
    data = pd.DataFrame(rows)
    ends = zip(data["right"] / data["tries"], data["low"], data["high"], strict=True)
    texts = [percent_interval(*each) for each in ends]
    shown = data.assign(level=data["level"].map(percent), right=texts).drop(columns=["low", "high"])
    notes = [f"{'Yes' if holds else 'No'}: {line}." for line, holds in asked(found).items()]
    return plain_table(TITLE, data, notes, shown)


def _right(count: int, tries: int) -> dict[str, float]:
    limits = stats.binomtest(count, tries).proportion_ci(method="exact")
    return {"right": count, "low": float(limits.low), "high": float(limits.high)}
