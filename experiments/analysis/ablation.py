"""Proof by ablation: what each policy gives back, changed alone in the same rounds; and A/A tests."""

from collections.abc import Iterable
from itertools import chain
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from augment.strategies.pool import P2
from experiments.analysis import breakdown
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import STRONG, NoTrialsError, require
from experiments.analysis.select import ok_trials, select
from experiments.analysis.statistics import BlockModel, Interval, holm
from experiments.analysis.text import pluralise
from experiments.store.columns import UNTOUCHED
from experiments.store.files import DetailReader

REMOVED_BY = {  # ablation: the cause that it removes, and the column of the breakdown that counts it
    "chunksize_1": (breakdown.IMBALANCE, breakdown.IMBALANCE),
    "fork": (breakdown.START_UP, breakdown.START_UP),
    "allocator": (breakdown.SYSTEM_CPU, "faults"),
    "tmpfs": (breakdown.STORAGE, breakdown.STORAGE),
    "one_thread": (breakdown.THREADS, "opencv_threads"),
    P2.name: (breakdown.TRANSFER, breakdown.TRANSFER),  # instead of a strategy that sends pixels
}
REMOVABLE = [cause for cause, _ in REMOVED_BY.values()]
AA = "aa"  # the ablation that changes nothing
AA_ROUNDS = 3  # of one A/A comparison
POINT = ["strategy", "workers", "saving", "pipeline"]
GAIN = [*POINT, "ablation", "rounds", "images_per_s", "gain", "low", "high"]
POLICIES = ("runtime", "strategy_options", "output_file_system")  # what an ablation may change


class Cell(NamedTuple):
    """What the model of a workload calls a cell."""

    strategy: str
    workers: int
    ablation: str = UNTOUCHED


def fitted(trials: pd.DataFrame) -> BlockModel:
    """The model of the ok trials of one workload; its cells are of Cell."""
    return BlockModel.of(trials, [Cell(*each) for each in trials[[*Cell._fields]].itertuples(index=False)])


def time_saved(model: BlockModel, cell: Cell, others: Iterable[Cell]) -> dict[Cell, Interval]:
    """The share of a cell's time that each other one which was measured does without, Holm-adjusted."""
    known = [other for other in others if other in model.cells]
    intervals = holm([model.log_ratio(other, cell) for other in known])
    return {other: complement(each.exp()) for other, each in zip(known, intervals, strict=True)}


def complement(ratio: Interval) -> Interval:
    """1 less a ratio of times: what is lost, or given back."""
    return Interval(1 - ratio.value, 1 - ratio.high, 1 - ratio.low)


def comparable(trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials that may stand in one table, of every pipeline and of every ablation as it was declared
    last, and lines on what was left out. Raises NoTrialsError."""
    require(trials)
    selected = (select(block, STRONG) for _, block in trials.groupby(["pipeline", "ablation"]))
    blocks, notes = zip(*selected, strict=True)
    axes = (*STRONG, "ablation", *POLICIES, "pipeline", "pipeline_digest")
    kept, more = select(pd.concat(blocks), axes)
    return kept, [*dict.fromkeys(chain(*notes, more))]


def newest_pipeline(kept: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Those of `comparable` of the newest pipeline, and lines on what was left out."""
    newest = kept["pipeline_digest"] == kept.sort_values("started_at")["pipeline_digest"].iloc[-1]
    if not newest.all():
        other = f"{pluralise((~newest).sum(), 'trial')} of another pipeline than the newest left out"
        notes = [*notes, other]
    return kept[newest], notes


def gains(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """One row per point and ablation, the most given back first: `rounds`, `images_per_s`, the `gain` (share
    of the time with no policy changed) with `low` and `high`, Holm-adjusted over the ablations of the point;
    and of the `counter` that belongs to the ablation (see REMOVED_BY) the mean `before` and `after`, NaN
    where it has none. Raises NoTrialsError."""
    rows: list[dict[str, Any]] = []
    ok = ok_trials(with_ceilings(trials, parts))
    for (saving, pipeline), block in ok.groupby(["saving", "pipeline"]):
        model, counted = fitted(block), breakdown.breakdowns(block, parts)
        cells: Any = model.cells
        for cell in (each for each in cells if each.ablation == UNTOUCHED):
            others = (each for each in cells if each[:2] == cell[:2] and each != cell)
            for other, gain in time_saved(model, cell, others).items():
                rounds = min(model.rounds[cell], model.rounds[other])
                rate = block["tasks"].iloc[0] / model.seconds(other)
                values = (*cell[:2], saving, pipeline, other.ablation, rounds, rate, *gain)
                rows.append(dict(zip(GAIN, values, strict=True)) | _counter(other, counted))
    if not rows:
        nothing = f"no cell with ablation={UNTOUCHED} and another to hold against it"
        raise NoTrialsError(f"{nothing}: run `make ablation`")
    return pd.DataFrame(rows).sort_values("gain", ascending=False, ignore_index=True)


def _counter(cell: Cell, breakdowns: pd.DataFrame) -> dict[str, Any]:
    _, counter = REMOVED_BY.get(cell.ablation, ("", ""))
    if not counter or breakdowns.empty:
        return {"counter": None, "before": nan, "after": nan}
    here = breakdowns[(breakdowns["strategy"] == cell.strategy) & (breakdowns["workers"] == cell.workers)]
    means = here.groupby("ablation")[counter].mean()
    return {"counter": counter, "before": means.get(UNTOUCHED, nan), "after": means.get(cell.ablation, nan)}


def aa_comparisons(trials: pd.DataFrame) -> pd.DataFrame:
    """A/A: per cell and AA_ROUNDS consecutive rounds the `gain` where nothing was changed, with `low` and
    `high`, and whether that is a `claim` of a difference. Raises NoTrialsError."""
    rows: list[list[Any]] = []
    for saving, block in ok_trials(trials).sort_values("started_at").groupby("saving"):
        rounds = [group for _, group in block.groupby(["sweep", "round"], sort=False)]
        for begin in range(0, len(rounds) - AA_ROUNDS + 1, AA_ROUNDS):
            model = fitted(pd.concat(rounds[begin : begin + AA_ROUNDS]))
            cells: Any = model.cells
            for cell in (each for each in cells if each.ablation == AA):
                gain = complement(model.log_ratio(cell, cell._replace(ablation=UNTOUCHED)).exp())
                if gain.known:
                    rows.append([*cell[:2], saving, *gain, not gain.low <= 0 <= gain.high])
    if not rows:
        raise NoTrialsError(f"fewer than {AA_ROUNDS} rounds with and without ablation={AA}: run `make aa`")
    return pd.DataFrame(rows, columns=["strategy", "workers", "saving", "gain", "low", "high", "claim"])
