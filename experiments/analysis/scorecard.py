"""The claims of the published study as tests on measured results.

A claim (see `published`) is confirmed if the interval of each quantity lies within its limits, and refuted if
one lies beyond a limit. Else it is open, for a reason.
"""

from collections.abc import Mapping
from math import isnan
from typing import Any, NamedTuple

import pandas as pd

from augment.strategies.pool import P1, P2, PQ
from augment.strategies.sequential import Sequential
from experiments.analysis.costs import STAGE_COLUMNS
from experiments.analysis.published import claims
from experiments.analysis.scaling import Key, keys, weak
from experiments.analysis.select import STRONG, WEAK, ok_trials, recorded, select
from experiments.analysis.statistics import UNKNOWN, BlockModel, Estimate, Interval, interval_columns
from experiments.store.files import DetailReader

CONFIRMED, REFUTED, OPEN = "confirmed", "refuted", "open"
NOT_MEASURED, FEW_CPUS, AT_LIMIT = "not measured", "few CPUs", "at the limit"
MAX_SUPERLINEAR = 31  # workers, in the study
FILE_STAGES = ["read_s", "encode_s", "write_s"]

Quantities = dict[int, Interval]  # by worker count; empty or NaN if not measured


class Finding(NamedTuple):
    """The verdict on a claim."""

    claim: str
    verdict: str
    quantities: Quantities
    reason: str = ""  # of an open claim


def scorecard(trials: Mapping[str, pd.DataFrame], parts: DetailReader) -> list[Finding]:
    """Return the finding on every claim, by the trials of each experiment and the tasks of strong scaling."""
    strong, by_size = (
        ok_trials(select(trials[name], axes)[0]) if len(trials.get(name, ())) else pd.DataFrame()
        for name, axes in (("strong_scaling", STRONG), ("weak_scaling", WEAK))
    )
    measured = {"strong-scaling": strong, "weak-scaling": by_size}
    cpus = {target: int(ok["usable_cpus"].iloc[0]) for target, ok in measured.items() if len(ok)}
    quantities = _of_strong(strong, cpus["strong-scaling"], parts) if len(strong) else {}
    quantities |= _of_weak(by_size, cpus["weak-scaling"]) if len(by_size) else {}
    targets = {name: claim["target"] for name, claim in claims().items()}
    return [_finding(name, quantities.get(name, {}), cpus.get(targets[name], 0)) for name in targets]


def _of_strong(ok: pd.DataFrame, cpus: int, parts: DetailReader) -> dict[str, Quantities]:
    """Return the ratios of times, and the share of files, at worker counts up to the CPUs."""
    model = BlockModel.of(ok, keys(ok, STRONG))
    names = p1, p2, pq = P1.name, P2.name, PQ.name
    counts = {name: {n for n in range(2, cpus + 1) if (True, name, n) in model.cells} for name in names}
    most = max(counts[p2], default=0)
    doubled = [n for n in sorted(counts[p2]) if n > cpus / 2 and n / 2 in counts[p2]]
    both = counts[p1] & counts[p2]
    better = {n: min((p1, p2), key=lambda name: model.seconds((True, name, n))) for n in both & counts[pq]}
    pairs: dict[str, dict[int, tuple[Key, Key]]] = {  # whose seconds are divided
        "saturation": {n: ((True, p2, n // 2), (True, p2, n)) for n in doubled[-1:]},
        "p1_like_p2": {n: ((True, p1, n), (True, p2, n)) for n in sorted(both)[-1:]},
        "pq_never_pays": {n: ((True, pq, n), (True, name, n)) for n, name in sorted(better.items())},
        "saving_costs_nothing": {2: ((False, p2, 2), (True, p2, 2))},
    }
    ratios = {
        name: {n: model.log_ratio(*pair).exp() for n, pair in by_count.items()}
        for name, by_count in pairs.items()
    }
    saved = ok[(ok["strategy"] == p2) & ok["saving"] & (ok["workers"] == most)]
    trial_ids = recorded(saved, parts)["trial_id"]
    stages = [parts.of("tasks", trial_id, STAGE_COLUMNS).sum() for trial_id in trial_ids]
    shares: Any = pd.Series([seconds[FILE_STAGES].sum() / seconds.sum() for seconds in stages], dtype=float)
    share = Estimate(float(shares.mean()), float(shares.sem()), len(shares) - 1)
    return ratios | {"files_are_cheap": {most: share.interval()}}


def _of_weak(ok: pd.DataFrame, cpus: int) -> dict[str, Quantities]:
    """Return the efficiency at the largest worker count up to the CPUs, and the ratio of the collapse."""
    points = weak(ok)
    saved = points[(points["strategy"] == P2.name) & points["saving"]]
    saved = saved[saved["workers"].between(2, min(cpus, MAX_SUPERLINEAR))]
    last = saved.dropna(subset="efficiency").nlargest(1, "workers").set_index("workers")
    ends: Any = last[interval_columns("efficiency")].itertuples(name=None)
    parallel = ok[ok["strategy"] != Sequential.name]  # sequential trials are of all sizes
    model = BlockModel.of(parallel, keys(parallel, WEAK))
    of_p2 = [cell for cell in model.cells if cell[:2] == (True, P2.name)]
    pairs = [(cell, half) for cell in of_p2 for half in of_p2 if (cell[2], half[2]) == (64, 32)]
    ratio = model.log_ratio(*pairs[0]) if len(pairs) == 1 else UNKNOWN  # several sizes have no one ratio
    return {
        "superlinear": {workers: Interval(*interval) for workers, *interval in ends},
        "collapse": {64: ratio.exp()},
    }


def _finding(name: str, quantities: Quantities, cpus: int) -> Finding:
    low, high, min_cpus = (claims()[name][limit] for limit in ("low", "high", "min_cpus"))
    if 0 < cpus < min_cpus:
        return Finding(name, OPEN, {}, FEW_CPUS)
    if not quantities or any(isnan(interval.value) for interval in quantities.values()):
        return Finding(name, OPEN, {}, NOT_MEASURED)
    intervals = quantities.values()
    if all(low < interval.low and interval.high < high for interval in intervals):
        return Finding(name, CONFIRMED, quantities)
    if any(interval.high < low or high < interval.low for interval in intervals):
        return Finding(name, REFUTED, quantities)
    return Finding(name, OPEN, quantities, AT_LIMIT)
