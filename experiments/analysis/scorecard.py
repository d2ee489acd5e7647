"""The claims of the published study as tests on one's own results.

A claim says that a quantity lies between two limits. It is *confirmed* if the interval of the quantity does,
*refuted* if it lies beyond a limit, and *cannot be decided here* if it holds a limit, if something was not
measured, or if this machine has fewer cores than the claim is about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf
from typing import Any, NamedTuple

import pandas as pd

from augment.strategies.pool import P1, P2
from augment.strategies.queue import PQ
from augment.strategies.sequential import Sequential
from experiments.analysis.causes import MEMORY
from experiments.analysis.costs import STAGE_COLUMNS
from experiments.analysis.interference import COPIES, contended_resources, slowdowns, whole_tasks
from experiments.analysis.scaling import weak
from experiments.analysis.select import (
    STRONG,
    WEAK,
    NoTrialsError,
    comparable,
    newest_pipeline,
    ok_trials,
    recorded,
    select,
)
from experiments.analysis.statistics import BlockModel, Estimate, Interval, interval_columns
from experiments.analysis.text import label, percent_interval, pluralise, with_interval, with_or_without
from experiments.store.files import DetailReader

CONFIRMED, REFUTED, OPEN = "confirmed", "refuted", "cannot be decided here"
Cell = tuple[str, int, bool]  # strategy, workers, saving
Measured = tuple[list[Interval], str]  # quantities, and the same in words
FEW_WORKERS = 2


class Claim(NamedTuple):
    """A claim, what these results say of it, with figures, what the study printed, and why it is open."""

    claim: str
    verdict: str
    here: str
    published: str
    reason: str


@dataclass(frozen=True)
class Own:
    """One's own results: the trials of each experiment, and the parts of its trials."""

    trials: Mapping[str, pd.DataFrame]
    parts: Mapping[str, DetailReader]

    @cached_property
    def cpus(self) -> int:
        """Return how many CPUs the machine of strong scaling lets a process use."""
        return int(self.strong["usable_cpus"].iloc[0])

    @cached_property
    def strong(self) -> pd.DataFrame:
        """Return the ok trials of strong scaling. Raises NoTrialsError."""
        return self.ok("strong_scaling", STRONG)

    def ok(self, experiment: str, axes: Sequence[str]) -> pd.DataFrame:
        """Return the ok trials of an experiment that may stand in one table. Raises NoTrialsError."""
        trials = self.trials.get(experiment, pd.DataFrame())
        if trials.empty or (ok := ok_trials(select(trials, axes)[0])).empty:
            raise NoTrialsError(f"{experiment} was not measured")
        return ok

    @cached_property
    def model(self) -> BlockModel:
        """Return the model of strong scaling."""
        return _model(self.strong)

    def counts(self, *names: str) -> list[int]:
        """Return the worker counts up to the CPUs at which all these strategies were measured, saving."""
        saved = self.strong[self.strong["saving"] & self.strong["workers"].between(2, self.cpus)]
        present = [{*saved.loc[saved["strategy"] == name, "workers"]} for name in names]
        return sorted(set.intersection(*present))


def _model(ok: pd.DataFrame) -> BlockModel:
    return BlockModel.of(ok, [*ok[["strategy", "workers", "saving"]].itertuples(index=False, name=None)])


def _times(model: BlockModel, cell: Cell, base: Cell, words: str) -> Measured:
    """Return a cell's time over that of another, also in words. Raises NoTrialsError."""
    for strategy, workers, saving in {cell, base} - model.cells.keys():
        where = f"{label(strategy)} with {pluralise(workers, 'worker')}, {with_or_without(saving)}"
        raise NoTrialsError(f"{where} was not measured")
    times = model.log_ratio(cell, base).exp()
    return [times], words.format(with_interval(*times))


def _saturation(own: Own) -> Measured:
    counts = own.counts(P2.name)
    half = max((count for count in counts if count <= max(counts) / 2), default=0)
    if not half or max(counts) <= own.cpus / 2:
        raise NoTrialsError(f"P_2 was not measured with about {own.cpus} workers and with half as many")
    words = f"P_2 with {max(counts)} workers is {{}} times as fast as with {half}"
    return _times(own.model, (P2.name, half, True), (P2.name, max(counts), True), words)


def _p1_over_p2(own: Own) -> Measured:
    workers = max(own.counts(P1.name, P2.name), default=FEW_WORKERS)
    words = f"P_1 takes {{}} times as long as P_2 with {workers} workers"
    return _times(own.model, (P1.name, workers, True), (P2.name, workers, True), words)


def _pq_over_better(own: Own) -> Measured:
    model, times = own.model, {}
    for count in own.counts(P1.name, P2.name, PQ.name):
        best = min((P1.name, P2.name), key=lambda name: model.seconds((name, count, True)))
        times[count] = model.log_ratio((PQ.name, count, True), (best, count, True)).exp()
    if not times:
        raise NoTrialsError("P_Q was not measured beside P_1 and P_2")
    here = ", ".join(f"{with_interval(*each)} with {count}" for count, each in times.items())
    return [*times.values()], f"times as long as the better of P_1 and P_2: {here} workers"


def _unsaved_over_saved(own: Own) -> Measured:
    words = f"without saving P_2 with {FEW_WORKERS} workers takes {{}} times as long as with it"
    return _times(own.model, (P2.name, FEW_WORKERS, False), (P2.name, FEW_WORKERS, True), words)


def _weak(own: Own, measure: str) -> Measured:
    points = weak(own.ok("weak_scaling", WEAK)).dropna(subset=measure)
    saved = points[(points["strategy"] == P2.name) & points["saving"]]
    saved = saved[saved["workers"].between(2, min(own.cpus, 31))]
    if saved.empty:
        raise NoTrialsError("weak scaling was not measured with 2 workers or more and its references")
    row = saved.sort_values("workers").to_dict("records")[-1]
    efficiency = Interval(*(row[name] for name in interval_columns(measure)))
    return [efficiency], f"P_2 with {row['workers']} workers: {percent_interval(*efficiency)}"


def _collapse(own: Own) -> Measured:
    ok = own.ok("weak_scaling", WEAK)
    model = _model(ok[ok["strategy"] != Sequential.name])  # its references are of all sizes
    words = "64 ranks take {} times as long as 32"
    return _times(model, (P2.name, 64, True), (P2.name, 32, True), words)


def _share_of_files(own: Own) -> Measured:
    workers = max(own.counts(P2.name), default=0)
    ok, parts = own.strong, own.parts["strong_scaling"]
    saved = ok[(ok["strategy"] == P2.name) & ok["saving"] & (ok["workers"] == workers)]
    saved = recorded(saved, "tasks", parts)
    if saved.empty:
        raise NoTrialsError("no tasks of P_2 with saving were recorded")
    stages = (parts.of("tasks", trial_id, STAGE_COLUMNS).sum() for trial_id in saved["trial_id"])
    shares: Any = pd.Series([each[["read_s", "encode_s", "write_s"]].sum() / each.sum() for each in stages])
    share = Estimate(float(shares.mean()), float(shares.sem()), len(shares) - 1).interval()
    words = f"reading and saving take {percent_interval(*share)} of the seconds of P_2's tasks"
    return [share], f"{words} with {workers} workers"


def _contention(own: Own) -> Claim:
    """Return the claim that tasks contend for memory, at the largest worker count that was measured."""
    claim, published = "It is contention, of memory", "named, not measured"
    rows: list[tuple[Any, pd.DataFrame]] = []
    for experiment in ("interference", "diagnose"):
        if len(own.trials.get(experiment, ())):
            trials, _ = newest_pipeline(*comparable(own.trials[experiment]))
            table = whole_tasks(slowdowns(trials, own.parts[experiment]))
            beside = table[(table["neighbour"] == COPIES) & (table["quantity"] == "wall")]
            rows += [(row, table) for row in beside.to_dict("records")]
    if not rows:
        return Claim(claim, OPEN, "", published, "interference was not measured: make interference")
    row, table = max(rows, key=lambda pair: pair[0]["workers"])
    times = with_interval(row["slowdown"], row["low"], row["high"])
    here = f"a task takes {times} times as long beside {row['workers'] - 1} busy copies"
    if resources := contended_resources(table, row["workers"], row["saving"]):
        verdict = CONFIRMED if MEMORY in resources else REFUTED
        return Claim(claim, verdict, f"{here}; it contends for {', '.join(resources)}", published, "")
    reason = "no contention for any one resource is shown"
    if own.cpus < CORES[_contention]:
        reason = f"no contention is shown by {own.cpus} CPUs; the study's is of 16 and more"
    return Claim(claim, OPEN, here, published, reason)


# Claim; quantity, and the limits that it lies between; what the printed seconds say.
CLAIMS: tuple[tuple[str, Callable[[Own], Measured], float, float, str], ...] = (
    (
        "The speedup saturates below the number of cores",
        *(_saturation, -inf, 1.10),  # times as fast with twice the workers
        "7.59 at 16 ranks, saving; 7.73 at 32 ranks, no saving; 32 cores",
    ),
    (
        "P_1 and P_2 are close to each other",
        *(_p1_over_p2, 1 / 1.15, 1.15),
        "0.91 to 1.04 times as long at 2 to 64 ranks",
    ),
    ("P_Q never pays", _pq_over_better, 1, inf, "P_Q over P_2: 1.10 to 2.52 times as long at 2 to 64 ranks"),
    (
        "Not saving is no faster with few workers",
        *(_unsaved_over_saved, 0.95, inf),
        "1.05 times as long with 2 ranks",
    ),
    (
        "Weak scaling is superlinear below 32 ranks",
        *(partial(_weak, measure="efficiency"), 1, inf),
        "120 % at 2, 154 % at 8, 131 % at 16, 67 % at 32 ranks",
    ),
    (
        "Weak scaling is superlinear also when normalised by work",
        *(partial(_weak, measure="normalised_efficiency"), 1, inf),
        "not printed: no sequential time at the larger sizes",
    ),
    (
        "Weak scaling collapses at 2000x2000 pixels",
        *(_collapse, 1.5, inf),  # times as long with twice the ranks
        "64 ranks take 5.7 times as long as 32",
    ),
    (
        "Reading and saving are not the bottleneck",
        *(_share_of_files, -inf, 0.5),  # of a task's seconds
        "0.08 s of the master's 10 s are in imread, at 32 ranks",
    ),
)
CORES: dict[object, int] = {_saturation: 8, _collapse: 32, _contention: 8}  # fewer do not show it


def scorecard(own: Own) -> list[Claim]:
    """Return every claim, in the order of the study. A claim of what was not measured is open."""
    claims = []
    for claim, measure, low, high, published in CLAIMS:
        verdict, here, reason = OPEN, "", ""
        try:
            if measure in CORES and own.cpus < CORES[measure]:
                raise NoTrialsError(f"{own.cpus} CPUs are fewer than the {CORES[measure]} it takes to see it")
            intervals, here = measure(own)
            verdict = judge(intervals, low, high)
            reason = "the interval holds the limit: more rounds would tell" if verdict == OPEN else ""
        except NoTrialsError as error:
            reason = str(error)
        claims.append(Claim(claim, verdict, here, published, reason))
    return [*claims, _contention(own)]


def judge(intervals: Sequence[Interval], low: float, high: float) -> str:
    """Return the verdict on the claim that all quantities lie between `low` and `high`."""
    if all(low < each.low and each.high < high for each in intervals):
        return CONFIRMED
    return REFUTED if any(each.high < low or high < each.low for each in intervals) else OPEN
