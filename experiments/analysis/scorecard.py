"""The claims of the published study as tests on measured results.

A claim says that quantities lie between two limits. It is confirmed if the interval of each quantity does,
and refuted if one lies beyond a limit. Else it is open, for a reason.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf, isnan
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
    CellKey,
    NoTrialsError,
    cell_keys,
    comparable,
    newest_pipeline,
    ok_trials,
    recorded,
    select,
)
from experiments.analysis.statistics import BlockModel, Estimate, Interval, interval_columns
from experiments.store.files import DetailReader

CONFIRMED, REFUTED, OPEN = "confirmed", "refuted", "open"
NOT_MEASURED, FEW_CPUS, AT_LIMIT, NOT_SHOWN = "not measured", "few CPUs", "at the limit", "not shown"
MAX_SUPERLINEAR = 31  # workers, in the study
FILE_STAGES = ["read_s", "encode_s", "write_s"]

Quantities = dict[int, Interval]  # by worker count; empty or NaN if not measured


class Finding(NamedTuple):
    """The verdict on a claim."""

    claim: str
    verdict: str
    quantities: Quantities
    reason: str = ""  # of an open claim
    resources: Sequence[str] = ()  # that tasks contend for


@dataclass(frozen=True)
class Measured:
    """The trials and the details of each experiment."""

    trials: Mapping[str, pd.DataFrame]
    parts: Mapping[str, DetailReader]

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
        return BlockModel.of(self.strong, cell_keys(self.strong))

    @cached_property
    def cpus(self) -> int:
        """Return the usable CPUs of the machine of strong scaling."""
        return int(self.strong["usable_cpus"].iloc[0])

    def counts(self, *names: str) -> list[int]:
        """Return the worker counts up to the CPUs at which all these strategies were measured, saving."""
        saved = self.strong[self.strong["saving"] & self.strong["workers"].between(2, self.cpus)]
        present = [{*saved.loc[saved["strategy"] == name, "workers"]} for name in names]
        return sorted(set.intersection(*present))

    def ratios(self, pairs: Iterable[tuple[CellKey, CellKey]]) -> Quantities:
        """Return the time of the first cell of each pair over that of the second, in strong scaling."""
        return {cell.workers: self.model.log_ratio(cell, base).exp() for cell, base in pairs}


def _cell(strategy: str, workers: int, saving: bool = True) -> CellKey:
    return CellKey(strategy, workers, saving)


def _speedup_over_half(measured: Measured) -> Quantities:
    counts = measured.counts(P2.name)
    halves = [count for count in counts if count <= counts[-1] / 2]
    if not halves or counts[-1] <= measured.cpus / 2:
        return {}
    log_ratio = measured.model.log_ratio(_cell(P2.name, halves[-1]), _cell(P2.name, counts[-1]))
    return {counts[-1]: log_ratio.exp()}


def _p1_over_p2(measured: Measured) -> Quantities:
    most = measured.counts(P1.name, P2.name)[-1:]
    return measured.ratios((_cell(P1.name, count), _cell(P2.name, count)) for count in most)


def _pq_over_better(measured: Measured) -> Quantities:
    counts = measured.counts(P1.name, P2.name, PQ.name)
    better = (min((_cell(P1.name, n), _cell(P2.name, n)), key=measured.model.seconds) for n in counts)
    return measured.ratios((base._replace(strategy=PQ.name), base) for base in better)


def _unsaved_over_saved(measured: Measured) -> Quantities:
    return measured.ratios([(_cell(P2.name, 2, False), _cell(P2.name, 2))])


def _weak_efficiency(measured: Measured, measure: str) -> Quantities:
    points = weak(measured.ok("weak_scaling", WEAK)).dropna(subset=measure)
    saved = points[(points["strategy"] == P2.name) & points["saving"]]
    saved = saved[saved["workers"].between(2, min(measured.cpus, MAX_SUPERLINEAR))]
    rows = saved.nlargest(1, "workers").to_dict("records")
    return {row["workers"]: Interval(*(row[name] for name in interval_columns(measure))) for row in rows}


def _weak_collapse(measured: Measured) -> Quantities:
    ok = measured.ok("weak_scaling", WEAK)
    ok = ok[ok["strategy"] != Sequential.name]  # sequential trials are of all sizes
    model = BlockModel.of(ok, cell_keys(ok))
    return {64: model.log_ratio(_cell(P2.name, 64), _cell(P2.name, 32)).exp()}


def _share_of_files(measured: Measured) -> Quantities:
    ok, parts = measured.strong, measured.parts["strong_scaling"]
    for workers in measured.counts(P2.name)[-1:]:
        saved = ok[(ok["strategy"] == P2.name) & ok["saving"] & (ok["workers"] == workers)]
        traced = recorded(saved, "tasks", parts)["trial_id"]
        stages = [parts.of("tasks", trial_id, STAGE_COLUMNS).sum() for trial_id in traced]
        shares: Any = pd.Series([each[FILE_STAGES].sum() / each.sum() for each in stages], dtype=float)
        share = Estimate(float(shares.mean()), float(shares.sem()), len(shares) - 1)
        return {workers: share.interval()}
    return {}


class Claim(NamedTuple):
    """A claim that quantities lie between two limits."""

    name: str
    quantities: Callable[[Measured], Quantities]
    low: float
    high: float
    min_cpus: int = 1  # fewer do not show it


CLAIMS = (
    Claim("saturation", _speedup_over_half, -inf, 1.10, min_cpus=8),
    Claim("p1_like_p2", _p1_over_p2, 1 / 1.15, 1.15),
    Claim("pq_never_pays", _pq_over_better, 1, inf),
    Claim("saving_costs_nothing", _unsaved_over_saved, 0.95, inf),
    Claim("superlinear", partial(_weak_efficiency, measure="efficiency"), 1, inf),
    Claim("superlinear_by_work", partial(_weak_efficiency, measure="normalised_efficiency"), 1, inf),
    Claim("collapse", _weak_collapse, 1.5, inf, min_cpus=32),
    Claim("files_are_cheap", _share_of_files, -inf, 0.5),
)
CONTENTION, CONTENTION_MIN_CPUS = "contention", 8


def scorecard(measured: Measured) -> list[Finding]:
    """Return the finding on every claim, in the order of the study."""
    return [*(_finding(claim, measured) for claim in CLAIMS), _contention(measured)]


def _finding(claim: Claim, measured: Measured) -> Finding:
    try:
        if measured.cpus < claim.min_cpus:
            return Finding(claim.name, OPEN, {}, FEW_CPUS)
        quantities = claim.quantities(measured)
    except NoTrialsError:
        return Finding(claim.name, OPEN, {}, NOT_MEASURED)
    if not quantities or any(isnan(each.value) for each in quantities.values()):
        return Finding(claim.name, OPEN, {}, NOT_MEASURED)
    verdict = judge(quantities.values(), claim.low, claim.high)
    return Finding(claim.name, verdict, quantities, AT_LIMIT if verdict == OPEN else "")


def judge(intervals: Iterable[Interval], low: float, high: float) -> str:
    """Return the verdict on the claim that all quantities lie between `low` and `high`."""
    each = list(intervals)
    if all(low < interval.low and interval.high < high for interval in each):
        return CONFIRMED
    return REFUTED if any(interval.high < low or high < interval.low for interval in each) else OPEN


def _contention(measured: Measured) -> Finding:
    """Return the finding on contention for memory, at the largest worker count that was measured."""
    rows: list[tuple[Any, pd.DataFrame]] = []
    for experiment in ("interference", "diagnose"):
        if len(measured.trials.get(experiment, ())):
            trials, _ = newest_pipeline(*comparable(measured.trials[experiment]))
            table = whole_tasks(slowdowns(trials, measured.parts[experiment]))
            beside = table[(table["neighbour"] == COPIES) & (table["quantity"] == "wall")]
            rows += [(row, table) for row in beside.to_dict("records")]
    if not rows:
        return Finding(CONTENTION, OPEN, {}, NOT_MEASURED)
    row, table = max(rows, key=lambda pair: pair[0]["workers"])
    quantities = {row["workers"]: Interval(row["slowdown"], row["low"], row["high"])}
    if resources := tuple(contended_resources(table, row["workers"], row["saving"])):
        verdict = CONFIRMED if MEMORY in resources else REFUTED
        return Finding(CONTENTION, verdict, quantities, resources=resources)
    reason = FEW_CPUS if measured.cpus < CONTENTION_MIN_CPUS else NOT_SHOWN
    return Finding(CONTENTION, OPEN, quantities, reason)
