"""The answer: which strategy, how many workers and which runtime; how fast that will be, and what stops it.

Recommended is the candidate that is at most slower than the best by least (95 %, `statistics.best_set`)."""

import json
from dataclasses import dataclass
from math import nan
from typing import Any

import pandas as pd

from augment.strategies.instruments.copies import Copies
from augment.strategies.sequential import Sequential
from experiments.analysis.ablation import comparable
from experiments.analysis.candidates import Measured, fitted, measured, newest_search, recommended
from experiments.analysis.engines import Cell
from experiments.analysis.promise import TOO_FAR, RefusedError, more, promised, request
from experiments.analysis.spoilers import BUSY, growing_memory, own_randomness, taken_by_others
from experiments.analysis.statistics import BlockModel, Interval, best_set
from experiments.analysis.text import percent, pluralise
from experiments.analysis.verdict import verdicts
from experiments.store.columns import FAILED, OK, UNTOUCHED
from experiments.store.files import DetailReader

AS_FAST = 1.05  # times the fastest: within it the fewest workers are named
SAID_BY_INTERVALS = ("the repetitions differ", "the machine ran")


@dataclass(frozen=True)
class Advice:
    """What is recommended for the whole of what was asked for. Rates are augmented images per second."""

    candidate: Cell
    command: str
    images_per_s: Interval  # of one run of the command
    ceiling_share: Interval
    peak_rss_bytes: float
    at_most_slower: float  # share of the best one's time
    fewest: Cell  # workers of all that are within AS_FAST of the fastest
    runner_up: Cell | None
    behind: Interval  # the runner-up's time over the candidate's
    policies: dict[str, Interval]  # that pay alone: option, how many times as fast
    verdict: dict[str, Any] | None  # see `verdict.verdicts`
    ceiling_speedup: Interval  # of the copies over one process
    spoilers: list[str]
    notes: list[str]  # on what was measured, and what was not


def advise(trials: pd.DataFrame, parts: DetailReader, asked: pd.DataFrame) -> Advice:
    """The recommendation for what was asked for (rows of `schema.Candidate`). Raises RefusedError with the
    reason where the rows cannot carry one, NoTrialsError where there are none."""
    trials, asked = newest_search(trials, asked)
    found = measured(trials, parts, asked)
    model, cells = found.model, found.candidates
    _refuse(found, asked)
    bounds, chosen = best_set(model, cells), recommended(found)
    if bounds[chosen] > TOO_FAR:
        raise RefusedError(
            f"after {pluralise(model.rounds[chosen], 'round')} even {chosen.strategy} with {chosen.workers} "
            f"workers may be {percent(bounds[chosen])} slower than the best; give more, "
            f"advise.budget_s={more(asked)}"
        )
    others = [cell for cell in cells if cell != chosen]
    runner_up = others[0] if others else None
    rate = promised(found, trials, chosen, parts, asked)
    near = [cell for cell in cells if model.seconds(cell) <= AS_FAST * model.seconds(cells[0])]
    at_ceiling = _ceiling(model, chosen)
    one = next((cell for cell in cells if cell.strategy == Sequential.name), chosen)  # the fastest first
    return Advice(
        chosen,
        request(asked, chosen)["command"],
        rate,
        model.log_ratio(at_ceiling, chosen).exp(),
        float(found.of(chosen)["peak_rss_bytes"].mean()),
        bounds[chosen],
        min(near, key=lambda cell: cell.workers),
        runner_up,
        model.log_ratio(runner_up, chosen).exp() if runner_up else Interval(nan, nan, nan),
        policies(trials, chosen),
        _verdict(found, chosen, at_ceiling, parts),
        model.log_ratio(one, at_ceiling).exp(),
        spoilers(trials, chosen, parts),
        [*_coverage(found, asked), *found.notes],
    )


def _refuse(found: Measured, asked: pd.DataFrame) -> None:
    """Raises RefusedError for rows that tell nothing."""
    if asked.empty:
        raise RefusedError("it is not recorded what was asked for: run python run.py experiment=advise")
    if asked["left_out"].notna().all():
        raise RefusedError(str(asked["left_out"].iloc[0]))
    rounds = max((found.model.rounds[cell] for cell in found.candidates), default=0)
    errors = found.trials.loc[found.trials["status"] == FAILED, "error"]
    if not rounds or (rounds < 2 and len(errors)):
        reason = errors.iloc[-1] if len(errors) else "no trial was ok"
        raise RefusedError(f"nothing could be measured: {reason}")
    ok = found.trials[found.trials["status"] == OK]
    if (taken := taken_by_others(ok)) > BUSY:
        raise RefusedError(
            f"other processes took {percent(taken)} of the CPUs while it was measured; end them, and give "
            "the same command again"
        )
    if rounds < 2 or not found.model.dof:
        raise RefusedError(
            f"{pluralise(rounds, 'round')} only: how far the times vary is not known; give more, "
            f"repetitions=2 advise.budget_s={more(asked)}"
        )


def policies(trials: pd.DataFrame, chosen: Cell) -> dict[str, Interval]:
    """How many times as fast the recommended strategy is with one policy changed, of those that surely pay
    (each by itself), by the options that they set."""
    here = (trials["strategy"] == chosen.strategy) & (trials["workers"] == chosen.workers)
    ablated = trials[here & (trials["ablation"] != UNTOUCHED) & (trials["status"] == OK)]
    untouched = trials[here & (trials["ablation"] == UNTOUCHED) & trials["sweep"].isin(ablated["sweep"])]
    untouched = untouched[untouched["runtime_name"].isin(ablated["runtime_name"])]
    if ablated.empty or untouched.empty:
        return {}
    kept, _ = comparable(pd.concat([untouched, ablated]))
    model = fitted(kept, list(kept["ablation"]))
    paying = {}
    for ablation in sorted(set(kept["ablation"]) - {UNTOUCHED}):
        gain = model.log_ratio(UNTOUCHED, ablation).exp()
        if gain.low > 1:
            paying[_options(kept, ablation)] = gain
    return dict(sorted(paying.items(), key=lambda each: -each[1].value))


def _options(trials: pd.DataFrame, ablation: str) -> str:
    """What an ablation sets, as on the command line."""
    before, after = (
        json.loads(trials.loc[trials["ablation"] == name, "runtime"].iloc[-1])
        for name in (UNTOUCHED, ablation)
    )
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    options = " ".join(f"runtime.{name}={json.dumps(value)}" for name, value in changed.items())
    return options.replace('"', "") or f"ablation={ablation}"


def spoilers(trials: pd.DataFrame, chosen: Cell, parts: DetailReader) -> list[str]:
    """What spoils the work or its times, of the recommended candidate, its long run included."""
    is_own = (trials[[*Cell._fields]] == list(chosen)).all(axis=1) & (trials["ablation"] == UNTOUCHED)
    own = trials[is_own & (trials["status"] == OK)]
    warned = own["warnings"].dropna().str.split("\n").explode()
    often = warned[~warned.str.startswith(SAID_BY_INTERVALS)].value_counts()
    return [*often.index[often > len(own) / 2], *own_randomness(trials), *growing_memory(own, parts)]


def _verdict(found: Measured, chosen: Cell, at_ceiling: Cell, parts: DetailReader) -> dict[str, Any] | None:
    """What stops it, by the rules of `verdict`, held against the ceiling that was measured."""
    trials = found.trials
    is_own = (trials[[*Cell._fields]] == list(chosen)).all(axis=1)
    of_ceiling = trials["strategy"].isin([Copies.name, Sequential.name])
    of_ceiling &= trials["runtime_name"] == at_ceiling.runtime_name
    if chosen.workers < 2:
        return None
    judged = verdicts(trials[is_own | of_ceiling], parts)
    rows = judged[(judged["strategy"] == chosen.strategy) & (judged["workers"] == chosen.workers)]
    return {str(name): value for name, value in rows.iloc[0].items()} if len(rows) else None


def _ceiling(model: BlockModel, chosen: Cell) -> Cell:
    """The copies that a candidate is held against: as many as it has workers, or the most there are, and
    those of the runtime in which they are fastest."""
    cells: Any = model.cells
    copies: list[Cell] = [cell for cell in cells if cell.strategy == Copies.name]
    if not copies:
        return Cell(Copies.name, chosen.workers, chosen.runtime_name)
    workers = max(cell.workers for cell in copies)
    return min(
        (cell for cell in copies if cell.workers == workers), key=lambda cell: (model.seconds(cell), cell)
    )


def _coverage(found: Measured, asked: pd.DataFrame) -> list[str]:
    """What the answer rests on."""
    ok = found.trials[found.trials["status"] == OK]
    row, newest = ok.sort_values("started_at").iloc[-1], asked.iloc[-1]
    sample = f"{row['n_images']:.0f} of {pluralise(int(newest['files']), 'image')} x {row['n_augmentations']}"
    rounds = [found.model.rounds[cell] for cell in found.candidates]
    lines = [
        f"Measured: {sample} augmentations, {pluralise(len(rounds), 'candidate')} in {min(rounds)} to "
        f"{max(rounds)} rounds, {pluralise(len(ok), 'trial')}, on {row['machine']}."
    ]
    failed = found.trials[found.trials["status"] == FAILED].drop_duplicates([*Cell._fields, "error"])
    lines += [
        f"Failed: {r['strategy']} with {r['workers']}: {r['error']}." for r in failed.to_dict("records")
    ]
    known = asked[[*Cell._fields]].apply(tuple, axis=1).isin([*found.model.cells])
    left_out = asked[asked["left_out"].notna() & ~known]
    for reason, each in left_out.groupby("left_out"):
        names = ", ".join(
            f"{r['strategy']} with {r['workers']} ({r['runtime_name']})" for r in each.to_dict("records")
        )
        lines.append(f"Not measured: {names}: {reason}.")
    return lines
