"""The recommendation: one screen, and the same as one row of data."""

import math
from datetime import timedelta
from textwrap import fill
from typing import Any

import pandas as pd

from experiments.analysis.advice import AS_FAST, Advice, advise
from experiments.analysis.candidates import Measured, measured
from experiments.analysis.engines import Cell
from experiments.analysis.promise import RefusedError
from experiments.analysis.statistics import best_set
from experiments.analysis.text import label, percent, percent_interval, pluralise, steady, with_interval
from experiments.analysis.verdict import LOSS, NOTHING_TO_GAIN, OVERSUBSCRIBED
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, interval_of, plain_table

MILLION = 1e6
SCREEN = 92  # characters of a line, its heading beside it
ROW = [
    *("command", "strategy", "workers", "runtime", "images_per_s", "low", "high", "share_of_ceiling"),
    *("peak_rss_bytes", "at_most_slower_percent", "refused"),
]


@section(
    "advise",
    chapter="Recommendation",
    words="What to run on this machine, from the search of experiment=advise.",
    order=10,
    prints="recommendation",
)
def recommendation(results: Results) -> Outputs:
    """What to run, why, and everything that it was chosen from."""
    try:
        advice = advise(results.trials, results.parts, results.candidates)
    except RefusedError as error:
        row: dict[str, Any] = dict.fromkeys(ROW) | {"refused": str(error)}
        yield from _written(row, [["None", fill(str(error), SCREEN)]])
        return
    yield from _written(_row(advice), _lines(advice))
    found = measured(results.trials, results.parts, results.candidates)
    yield "candidates", [candidate_table(found, advice)]


def _written(row: dict[str, Any], lines: list[list[str]]) -> Outputs:
    data = pd.DataFrame([row], columns=ROW)
    yield "recommendation", [Table("Recommendation", ["", ""], lines, data)]
    yield "recommendation", data


def _row(advice: Advice) -> dict[str, Any]:
    values = (
        advice.command,
        *advice.candidate,
        *advice.images_per_s,
        advice.ceiling_share.value,
        advice.peak_rss_bytes,
        100 * advice.at_most_slower,
        "",
    )
    return dict(zip(ROW, values, strict=True))


def _lines(advice: Advice) -> list[list[str]]:
    """One screen, a heading and a text to each line."""
    rate, million_s = advice.images_per_s, MILLION / advice.images_per_s.value
    share = (
        [f"{percent_interval(*advice.ceiling_share)} of the ceiling"] if advice.ceiling_share.known else []
    )
    images = f"{with_interval(*rate, '.3g')} augmented images per second"
    reached = ", ".join([images, *share, f"{advice.peak_rss_bytes / 1e6:.0f} MB of memory"])
    lines = [
        ["Run", advice.command],
        ["Reaches", reached],
        ["", f"at most {percent(advice.at_most_slower, 1)} slower than the best (95 %)"],
        ["A million", f"augmentations take {_duration(million_s)}"],
        ["Fewest workers", f"within {percent(AS_FAST - 1)} of the fastest: {_name(advice.fewest)}"],
        ["Runner-up", _runner_up(advice)],
        ["Pays here", "; ".join(_pays(advice)) or "no policy surely does by itself"],
        ["What stops it", stops(advice)],
        ["What spoils it", advice.spoilers[0] if advice.spoilers else "nothing was found"],
        *(["", spoiler] for spoiler in advice.spoilers[1:]),
    ]
    lines += [["" if number else "Rests on", note] for number, note in enumerate(advice.notes)]
    return [[head, text if head == "Run" else fill(text, SCREEN)] for head, text in lines]


def _name(cell: Cell) -> str:
    return f"{label(cell.strategy)} with {pluralise(cell.workers, 'worker')}, runtime={cell.runtime_name}"


def _runner_up(advice: Advice) -> str:
    if advice.runner_up is None:
        return "none was measured"
    return f"{_name(advice.runner_up)}: {with_interval(*advice.behind)} times as long"


def _pays(advice: Advice) -> list[str]:
    return [f"{option}: {with_interval(*gain)} times as fast" for option, gain in advice.policies.items()]


def stops(advice: Advice) -> str:
    """What keeps it from being faster, in one sentence."""
    verdict, workers = advice.verdict, advice.candidate.workers
    if not advice.ceiling_share.known:
        return "not known: no ceiling was measured beside it"
    machine = (
        f"as many busy copies of the program do {with_interval(*advice.ceiling_speedup)} times what one does"
    )
    if verdict is None:
        return f"that it is one process: {machine}"
    suspects = [f"{name} ({percent(share)})" for name, share in verdict["ranking"].items() if share >= 0.02][
        :2
    ]
    suspected = (
        f"suspected: {' and '.join(suspects)} of all worker-seconds" if suspects else "nothing is suspected"
    )
    lost = percent_interval(verdict["loss"], verdict["low"], verdict["high"])
    if verdict["verdict"] == NOTHING_TO_GAIN:
        return f"the machine, proved: {machine}, and it reaches that"
    if verdict["verdict"] == OVERSUBSCRIBED:
        return f"the machine: {workers} workers share fewer CPUs, and {machine}"
    if verdict["verdict"] == LOSS:
        proved = f"{verdict['proved']}, proved" if verdict["proved"] else suspected
        return f"{proved}; {lost} is lost against the ceiling, where {machine}"
    return f"not decided: {lost} is lost against the ceiling, where {machine}; {suspected}"


def _duration(seconds: float) -> str:
    """`7 h 16 min`, `2 days 3 h`."""
    whole = timedelta(seconds=math.ceil(steady(seconds)))
    hours, rest = divmod(whole.seconds, 3600)
    if whole.days:
        return f"{pluralise(whole.days, 'day')} {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"


def candidate_table(found: Measured, advice: Advice) -> Table:
    """Every candidate that was measured, the fastest first."""
    model, cells = found.model, found.candidates
    bounds, rows = best_set(model, cells), []
    for cell in cells:
        own = found.of(cell)
        rate = model.log_seconds(cell).inverse().exp().times(own["tasks"].iloc[0])
        slower = model.log_ratio(cell, advice.candidate).exp()
        ends = {
            f"{name}{end}": each
            for name, interval in (("images_per_s", rate), ("times_as_long", slower))
            for end, each in zip(("", "_low", "_high"), interval, strict=True)
        }
        rest = {"at_most_slower": bounds[cell], "peak_rss_bytes": own["peak_rss_bytes"].mean()}
        rows.append(cell._asdict() | {"rounds": model.rounds[cell]} | ends | rest)
    data = pd.DataFrame(rows)
    shown = data[["strategy", "workers"]].assign(runtime=data["runtime_name"], rounds=data["rounds"])
    shown["images/s"] = [with_interval(*interval_of(row, "images_per_s"), ".3g") for row in rows]
    shown["times as long"] = [with_interval(*interval_of(row, "times_as_long")) for row in rows]
    shown["at most slower"] = data["at_most_slower"].map(
        lambda share: percent(share) if share < math.inf else "-"
    )
    shown["peak memory (MB)"] = (data["peak_rss_bytes"] / 1e6).map("{:.0f}".format)
    return plain_table("Candidates, on the sample", data, found.notes, shown)
