"""The verdict on each strategy at each worker count, by the five rules of docs/concepts.md.

Rule 2: `loss = 1 - T_possible / T`, where T_possible is the time of the ceiling (see `ceiling`).
Rule 4: a proof saves between half and one and a half times what the breakdown said. That time is a loss even
if the ceiling's copies share the cause.
"""

from collections.abc import Mapping
from math import ceil, isnan, nan
from typing import Any

import pandas as pd

from augment.strategies import STRATEGIES
from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from experiments.analysis import interference
from experiments.analysis.breakdown import mean_breakdowns
from experiments.analysis.causes import BY_ABLATION, IMBALANCE, NAMED, RANKED, START_UP, USER_CPU, Cause
from experiments.analysis.ceiling import with_model_seconds
from experiments.analysis.select import INSTRUMENTS, CellKey, cell_keys, ok_trials, place
from experiments.analysis.statistics import BlockModel, Interval, steady, time_saved
from experiments.store.columns import UNTOUCHED
from experiments.store.files import DetailReader

NOTHING_TO_GAIN, LOSS, NOT_DECIDED = "nothing to gain", "loss", "not decided"
OVERSUBSCRIBED = "more workers than CPUs"
GAPS, SLOWER_TASKS = "gaps between tasks", "tasks slower than the ceiling's"  # parts of a loss
NEGLIGIBLE_LOSS = 0.05  # of T
MIN_SUSPECT_SHARE = 0.05  # of P T; a smaller share makes no suspect
MIN_SHARE_OF_FIRST = 0.5  # of the first suspect's share; a smaller one is not named beside it
FOR_80_PERCENT = 3.2  # times the rounds after which half of all losses are decided: four fifths are
AGREEING_FACTORS = (0.5, 1.5)  # times what the breakdown said
COLUMNS = ["strategy", "workers", "saving", "verdict", "loss", "low", "high", "suspected", "proved"]
DETAILS = ["rounds_to_decide", "ranking", "savings", "loss_parts", "images_per_s"]

Mean = Mapping[str, float]  # the mean breakdown of a cell (see `breakdown`); empty if it has none


def verdicts(trials: pd.DataFrame, parts: DetailReader) -> pd.DataFrame:
    """Return COLUMNS and DETAILS for each strategy, worker count from two on and saving flag.

    `trials` may stand in one table (see `select`). `suspected` and `proved` are names of causes
    joined by commas, the largest first. `rounds_to_decide` is NaN if the loss is decided, or nothing tells.
    `ranking` maps causes to the share of P T that they take at most, `savings` proved ones to the share of T
    that their ablation saves. `loss_parts` is empty unless a loss has neither a suspect nor a proof.
    """
    means, slowdowns = mean_breakdowns(trials, parts), interference.slowdowns(trials, parts)
    rows: list[list[Any]] = []
    for saving, block in ok_trials(with_model_seconds(trials, parts)).groupby("saving"):
        cpus, tasks = int(block["usable_cpus"].iloc[0]), block["tasks"].iloc[0]
        model = BlockModel.of(block, cell_keys(block))
        for cell in sorted(model.cells, key=lambda cell: (place(cell.strategy), cell.workers)):
            if cell.workers == 1 or cell.ablation != UNTOUCHED or cell.strategy in INSTRUMENTS:
                continue
            if cell.workers > cpus:
                loss = _loss(model, cell, cell._replace(workers=cpus))
                judged: list[Any] = [OVERSUBSCRIBED, *loss, "", "", nan, {}, {}, {}]
            else:
                contended = interference.contended_resources(slowdowns, cell.workers, bool(saving))
                judged = _judge(model, cell, means, contended)
            rows.append([*cell[:3], *judged, tasks / model.seconds(cell)])
    return pd.DataFrame(rows, columns=[*COLUMNS, *DETAILS])


def _judge(
    model: BlockModel, cell: CellKey, means: Mapping[CellKey, Mean], contended: dict[str, float]
) -> list[Any]:
    """Return the columns from verdict to loss_parts."""
    before = means.get(cell, {})
    ranking = _ranking(before, contended)
    without = {name: _without(cell, name) for name, cause in BY_ABLATION.items() if cause.is_provable}
    proofs = {
        BY_ABLATION[name].name: gain
        for name, gain in time_saved(model, cell, without).items()
        if _is_proof(BY_ABLATION[name], gain, ranking, before, means.get(without[name], {}))
    }
    losses = [_loss(model, cell, CellKey(Copies.name, cell.workers, cell.saving)), *proofs.values()]
    loss = max(losses, key=lambda loss: -1 if isnan(loss.value) else loss.value)
    verdict, rounds = decide(loss, model.rounds[cell])
    suspects = named_suspects(ranking)
    consists_of = loss_parts(before, loss.value) if verdict == LOSS and not (suspects or proofs) else {}
    return [verdict, *loss, ", ".join(suspects), ", ".join(proofs), rounds, ranking, proofs, consists_of]


def loss_parts(mean: Mean, loss: float) -> dict[str, float]:
    """Return the parts of a loss as shares of the time, the largest first; they sum to the loss.

    The copies of the ceiling have no start, end, gaps or imbalance. All else is in the seconds of the tasks.
    Without a breakdown nothing is known.
    """
    if not mean:
        return {}
    start_s = mean["startup_s"] + mean["drain_s"]
    seconds = {START_UP: start_s, IMBALANCE: mean["imbalance_s"], GAPS: mean["gaps_s"]}
    parts = {name: part_s / mean["total_s"] for name, part_s in seconds.items()}
    return _descending(parts | {SLOWER_TASKS: loss - sum(parts.values())})


def _loss(model: BlockModel, cell: CellKey, possible: CellKey) -> Interval:
    return model.log_ratio(possible, cell).exp().complement()


def _without(cell: CellKey, ablation: str) -> CellKey:
    """Return the cell in which an ablation has removed its cause."""
    if ablation == P2.name:
        sends = cell.strategy in STRATEGIES and STRATEGIES[cell.strategy].sends_pixels
        return cell._replace(strategy=P2.name if sends else "")
    return cell._replace(ablation=ablation)


def _is_proof(cause: Cause, gain: Interval, ranking: Mean, before: Mean, after: Mean) -> bool:
    """Return True if an ablation proves its cause, by rule 4; `before` and `after` are mean breakdowns."""
    if not before or not after or not gain.low > 0:
        return False
    low, high = (factor * ranking[cause.name] for factor in AGREEING_FACTORS)
    return after[cause.counter] <= before[cause.counter] / 2 and low <= gain.value <= high


def decide(loss: Interval, rounds: int) -> tuple[str, float]:
    """Return the verdict on a loss, and the rounds in all that would decide it; NaN if decided or unknown."""
    if not loss.known:
        return NOT_DECIDED, nan
    if loss.high <= NEGLIGIBLE_LOSS:
        return NOTHING_TO_GAIN, nan
    if loss.low > 0:
        return LOSS, nan
    half = (loss.high - loss.low) / 2  # shrinks as the square root of the rounds grows
    needed = (half / max(loss.value, NEGLIGIBLE_LOSS - loss.value)) ** 2  # in half of the cases
    return NOT_DECIDED, ceil(steady(rounds * FOR_80_PERCENT * needed))


def named_suspects(ranking: dict[str, float]) -> list[str]:
    """Return the causes to name: those above MIN_SUSPECT_SHARE and MIN_SHARE_OF_FIRST."""
    causes = [cause for cause in ranking if cause in NAMED and ranking[cause] >= MIN_SUSPECT_SHARE]
    return [cause for cause in causes if ranking[cause] >= MIN_SHARE_OF_FIRST * ranking[causes[0]]]


def _ranking(mean: Mean, contended: Mean) -> dict[str, float]:
    """Return causes and shares of P T, the largest first; a resource of `interference` replaces USER_CPU."""
    shares = {name: mean[name] for name in RANKED if name in mean}
    if measured := {cause: share for cause, share in contended.items() if cause in NAMED}:
        shares = {name: share for name, share in shares.items() if name != USER_CPU} | measured
    return _descending(shares)


def _descending(shares: Mean) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda pair: steady(pair[1]), reverse=True))
