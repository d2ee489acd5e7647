"""What limits each strategy at each worker count, by five rules:

1. More workers than CPUs: said so, and compared with the strategy's time at as many workers as CPUs.
2. loss = 1 - T_possible / T, where T_possible is the time of the ceiling (see `ceiling`). High end of its
   interval at most NEGLIGIBLE_LOSS: nothing to gain. Low end above 0: a loss. Else: not decided.
3. The time breakdown ranks suspects; it proves nothing.
4. A cause is proved when its ablation, in the same rounds, at least halves the counter that belongs to it,
   gives time back with the Holm-adjusted low end above 0, and gives back between half and one and a half
   times what the breakdown said. What it gives back was possible: it is a loss, though the ceiling, whose
   copies share the cause, may show none.
5. Else it is suspected, and not shown.
"""

from math import ceil, isnan, nan
from typing import Any

import pandas as pd

from augment.strategies import STRATEGIES
from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from experiments.analysis import breakdown, interference
from experiments.analysis.ablation import REMOVABLE, REMOVED_BY, Cell, complement, fitted, time_saved
from experiments.analysis.ceiling import with_ceilings
from experiments.analysis.scaling import INSTRUMENTS
from experiments.analysis.select import ok_trials
from experiments.analysis.statistics import BlockModel, Interval
from experiments.analysis.text import steady
from experiments.store.columns import UNTOUCHED
from experiments.store.files import DetailReader

NOTHING_TO_GAIN, LOSS, NOT_DECIDED = "nothing to gain", "loss", "not decided"
OVERSUBSCRIBED = "more workers than CPUs"
NEGLIGIBLE_LOSS = 0.05  # of T
MIN_SUSPECT_SHARE = 0.05  # of P T: what takes less is no suspect
MIN_SHARE_OF_FIRST = 0.5  # of what the first suspect takes: what takes less is not named beside it
AGREEING_FACTORS = (0.5, 1.5)  # times what the breakdown said
CAUSES = (*REMOVABLE, breakdown.WAITS, interference.CORES, interference.MEMORY)
COLUMNS = ["strategy", "workers", "saving", "verdict", "loss", "low", "high", "suspected", "proved"]


def verdicts(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """A row with COLUMNS per strategy, worker count from two on and saving flag, of trials that may stand in
    one table (see `ablation.comparable`). `suspected` and `proved` name CAUSES, the first first, joined by
    commas. After them `images_per_s`, and for sentences `rounds_to_decide` (NaN where decided, or where
    nothing tells), `ranking` (cause: what it takes at most of P T) and `gains` (ablation: what it gives back
    of T)."""
    timed = with_ceilings(trials, parts)
    split, slowdowns = breakdown.breakdowns(trials, parts), interference.slowdowns(trials, parts)
    rows: list[dict[str, Any]] = []
    for saving, block in ok_trials(timed).groupby("saving"):
        cpus = int(block["usable_cpus"].iloc[0])
        of_flag = split[split["saving"] == saving] if len(split) else split
        model = fitted(block)
        for cell in _judged(model):
            row: dict[str, Any] = {**cell._asdict(), "saving": bool(saving), "ranking": {}, "gains": {}}
            row["images_per_s"] = block["tasks"].iloc[0] / model.seconds(cell)
            if cell.workers > cpus:
                loss = _lost(model, cell, cell._replace(workers=cpus))
                rows.append(row | _said(OVERSUBSCRIBED, loss, [], []))
            else:
                contended = interference.contended_resources(slowdowns, cell.workers, bool(saving))
                rows.append(row | _judge(model, cell, of_flag, contended))
    return pd.DataFrame(rows, columns=[*COLUMNS, "images_per_s", "rounds_to_decide", "ranking", "gains"])


def _judged(model: BlockModel) -> list[Cell]:
    """The cells of strategies with several workers and no policy changed, in the order of tables."""
    cells: Any = model.cells
    several = [each for each in cells if each.workers > 1 and each.ablation == UNTOUCHED]
    place = {name: number for number, name in enumerate(STRATEGIES)}
    wanted = [each for each in several if each.strategy not in INSTRUMENTS]
    return sorted(wanted, key=lambda cell: (place.get(cell.strategy, len(place)), cell))


def _judge(model: BlockModel, cell: Cell, split: pd.DataFrame, contended: dict[str, float]) -> dict[str, Any]:
    ranking, gains = _ranking(_of(split, cell), contended), _gains(model, cell)
    shown = {name: gain for name, gain in gains.items() if _is_shown(name, gain, cell, split, ranking)}
    loss = _lost(model, cell, Cell(Copies.name, cell.workers))
    loss = max([loss, *shown.values()], key=lambda each: -1 if isnan(each.value) else each.value)
    verdict, rounds = decide(loss, model.rounds[cell])
    proved = [REMOVED_BY[name][0] for name in shown]
    rest = {"rounds_to_decide": rounds, "ranking": ranking, "gains": gains}
    return _said(verdict, loss, suspected(ranking), proved) | rest


def _said(verdict: str, loss: Interval, suspected: list[str], proved: list[str]) -> dict[str, Any]:
    values = (verdict, *loss, ", ".join(suspected), ", ".join(proved))
    return dict(zip(COLUMNS[3:], values, strict=True))


def decide(loss: Interval, rounds: int) -> tuple[str, float]:
    """The verdict on a loss, and after how many rounds in all it should be decided, if it is not; NaN where
    nothing tells."""
    if not loss.known:
        return NOT_DECIDED, nan
    if loss.high <= NEGLIGIBLE_LOSS:
        return NOTHING_TO_GAIN, nan
    if loss.low > 0:
        return LOSS, nan
    half = (loss.high - loss.low) / 2  # shrinks as the square root of the rounds grows
    return NOT_DECIDED, ceil(steady(rounds * (half / max(loss.value, NEGLIGIBLE_LOSS - loss.value)) ** 2))


def suspected(ranking: dict[str, float]) -> list[str]:
    """The causes that are named: what takes MIN_SUSPECT_SHARE at least, and enough beside the first."""
    causes = [cause for cause in ranking if cause in CAUSES and ranking[cause] >= MIN_SUSPECT_SHARE]
    return [cause for cause in causes if ranking[cause] >= MIN_SHARE_OF_FIRST * ranking[causes[0]]]


def _ranking(split: pd.DataFrame, contended: dict[str, float]) -> dict[str, float]:
    """Every cause with its share of P T, the largest first. Where `interference` has told what the workload
    contends for, that and what it measured takes the place of the extra user CPU, a residual."""
    names = [*REMOVABLE, breakdown.WAITS, breakdown.CONTENTION]
    shares = dict(split[names].mean()) if len(split) else {}
    if told := {cause: share for cause, share in contended.items() if cause in CAUSES}:
        shares = {name: share for name, share in shares.items() if name != breakdown.CONTENTION} | told
    ranked = sorted(shares.items(), key=lambda each: steady(each[1]), reverse=True)
    return {str(name): float(share) for name, share in ranked}


def _gains(model: BlockModel, cell: Cell) -> dict[str, Interval]:
    """What each ablation of a cell that was measured gives back of its time, Holm-adjusted."""
    names = {_without(cell, name): name for name in REMOVED_BY if name != cell.strategy}
    return {names[other]: gain for other, gain in time_saved(model, cell, names).items()}


def _without(cell: Cell, ablation: str) -> Cell:
    """The cell in which an ablation has removed its cause."""
    if ablation == P2.name:
        sends = [name for name, kind in STRATEGIES.items() if kind.sends_pixels]
        return cell._replace(strategy=P2.name if cell.strategy in sends else "")
    return cell._replace(ablation=ablation)


def _is_shown(name: str, gain: Interval, cell: Cell, split: pd.DataFrame, ranking: dict[str, float]) -> bool:
    """Whether an ablation proves its cause: rule 4."""
    cause, counter = REMOVED_BY[name]
    before, after = _of(split, cell), _of(split, _without(cell, name))
    if before.empty or after.empty or not gain.low > 0:
        return False
    low, high = (times * ranking[cause] for times in AGREEING_FACTORS)
    return bool(after[counter].mean() <= before[counter].mean() / 2 and low <= gain.value <= high)


def _of(split: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    return split if split.empty else split[(split[list(cell._fields)] == list(cell)).all(axis=1)]


def _lost(model: BlockModel, cell: Cell, possible: Cell) -> Interval:
    return complement(model.log_ratio(possible, cell).exp())
