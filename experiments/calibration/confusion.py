"""The confusion matrix of planted and named causes, and the requirements on the verdict."""

from typing import Any

import pandas as pd
from scipy import stats

from experiments.analysis import verdict
from experiments.analysis.causes import NAMED, STORAGE, SYSTEM_CPU
from experiments.calibration.cases import CAUSES, CLEAR_LEVEL, DECOYS, FOREIGN, NOTHING, SINGLE, Case
from experiments.report.tables import Table, plain_table
from experiments.report.texts import percent, percent_interval

TITLE = "Planted causes, and what the verdict proved or suspected first"
NONE = "none"
UNDECIDED = (verdict.NOTHING_TO_GAIN, verdict.NOT_DECIDED)
MIN_RIGHT, MAX_WRONGLY = 0.9, 0.05  # shares of the cases


def judge(cases: pd.DataFrame) -> pd.DataFrame:
    """Return the cases with the columns `first`, `right` and `wrongly`.

    `first` is the first cause that was proved, or else suspected. `wrongly` is true if a cause was proved
    that was not planted. A decoy is `right` unless storage is blamed or system CPU proved, a case that plants
    nothing if no loss is found, and any other one if `first` was planted.
    """
    rows = [_judge(Case(row["cause"], row["level"]), row) for row in cases.to_dict("records")]
    return cases.assign(**pd.DataFrame(rows, cases.index, ["first", "right", "wrongly"]))


def _judge(case: Case, row: Any) -> tuple[str, bool, bool]:
    proved, suspected = ([*filter(None, row[name].split(", "))] for name in ("proved", "suspected"))
    first = [*proved, *suspected, NONE][0]
    right = first in case.planted
    if case.cause in DECOYS:
        right = STORAGE not in (*proved, *suspected) and SYSTEM_CPU not in proved
    elif not case.planted:
        right = row["verdict"] in UNDECIDED
    return first, right, not {*proved} <= case.planted


def requirements(judged: pd.DataFrame) -> dict[str, bool]:
    """Return each requirement on the verdict as a sentence with its result, and True if it holds.

    A requirement that no judged case belongs to is left out.
    """
    cause, wrongly = judged["cause"], int(judged["wrongly"].sum())
    clear = judged[cause.isin(SINGLE) & (judged["level"] >= CLEAR_LEVEL)].groupby("cause")["right"].mean()
    decoys, nothing = (
        judged[cause.isin(DECOYS)],
        judged[cause.isin([NOTHING, *FOREIGN]) & (judged["level"] == 0)],
    )
    held = {
        f"A cause that was not planted is proved in {percent(MAX_WRONGLY)} of the cases at most: "
        f"{wrongly} of {len(judged)}": wrongly <= MAX_WRONGLY * len(judged)
    }
    if len(clear):
        least, rarest = clear.min(), clear.idxmin()
        held[
            f"A single cause of {percent(CLEAR_LEVEL)} and more is right in {percent(MIN_RIGHT)} of the "
            f"cases at least: {percent(least)}, of {rarest}"
        ] = bool(least >= MIN_RIGHT)
    if len(decoys):
        blamed = int((~decoys["right"].astype(bool)).sum())
        held[
            f"No decoy is blamed on storage or proved to be system CPU: {blamed} of {len(decoys)}"
        ] = not blamed
    if len(nothing):
        verdicts = f"{' or '.join(UNDECIDED)}: {', '.join(sorted(nothing['verdict'].unique()))}"
        held[f"If nothing is planted, the verdict is {verdicts}"] = bool(nothing["right"].all())
    return held


def confusion_table(cases: pd.DataFrame) -> Table:
    """Return a table with a row per cause and level and a column per cause named first.

    The column `right` has Clopper-Pearson limits of 95 %; the notes are the requirements.
    """
    judged = judge(cases)
    heads = [head for head in (*NAMED, NONE) if head in {*judged["first"]}]
    rows = [
        {"cause": cause, "level": level, "cases": len(block)}
        | {head: int((block["first"] == head).sum()) for head in heads}
        | _right(int(block["right"].sum()), len(block))
        | {"proved wrongly": int(block["wrongly"].sum())}
        for cause in CAUSES
        for level, block in judged[judged["cause"] == cause].groupby("level")
    ]
    data = pd.DataFrame(rows)
    intervals = zip(data["right"] / data["cases"], data["low"], data["high"], strict=True)
    texts = [percent_interval(*interval) for interval in intervals]
    shown = data.assign(level=data["level"].map(percent), right=texts).drop(columns=["low", "high"])
    notes = [f"{'Yes' if holds else 'No'}: {text}." for text, holds in requirements(judged).items()]
    return plain_table(TITLE, data, notes, shown)


def _right(count: int, n_cases: int) -> dict[str, float]:
    limits = stats.binomtest(count, n_cases).proportion_ci(method="exact")
    return {"right": count, "low": float(limits.low), "high": float(limits.high)}
