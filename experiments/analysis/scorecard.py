"""The claims of the published study as tests on one's own results.

A claim is *confirmed* where its interval lies on the claim's side of a limit, *refuted* where it lies on the
other, and *cannot be decided here* where it holds the limit, where something was not measured, or where this
machine has fewer cores than the claim is about. Published values: see `printed`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Any, NamedTuple

import pandas as pd
from scipy import stats

from augment.strategies.pool import P1, P2
from augment.strategies.queue import PQ
from experiments.analysis import printed
from experiments.analysis.ablation import comparable, of_one_workload
from experiments.analysis.costs import STAGE_COLUMNS, recorded
from experiments.analysis.interference import COPIES, MEMORY, contended, of_tasks, slowdowns
from experiments.analysis.scaling import STRONG, WEAK, NoTrialsError, weak
from experiments.analysis.select import ok_trials, select
from experiments.analysis.statistics import LEVEL, BlockModel, Interval
from experiments.analysis.text import percent_interval, with_interval
from experiments.store.files import Parts

CONFIRMED, REFUTED, OPEN = "confirmed", "refuted", "cannot be decided here"
ALIKE = 1.15  # times as long: what P_1 and P_2 may differ by and still be alike
NO_FASTER = 0.95  # times as long: not saving that is faster than that is faster
GAINS = 1.10  # times as fast with twice the workers: below it the speedup is saturated
HALF = 0.5  # of a task's seconds: a stage that takes less is not the bottleneck
FEW = 2  # workers
CORES_OF_SATURATION, CORES_OF_CONTENTION, CORES_OF_COLLAPSE = 8, 8, 32  # fewer cannot show what the study saw


class Claim(NamedTuple):
    """A claim, what these results say of it, with figures, what the study printed, and why it is open."""

    claim: str
    verdict: str
    here: str
    published: str
    reason: str


@dataclass(frozen=True)
class Own:
    """One's own results: the trials of each experiment that may stand in one table, and their parts."""

    trials: Mapping[str, pd.DataFrame]
    parts: Mapping[str, Parts]

    @cached_property
    def cpus(self) -> int:
        """That the machine of strong scaling lets a process use."""
        return int(self.strong["usable_cpus"].iloc[0])

    @cached_property
    def strong(self) -> pd.DataFrame:
        """The ok trials of strong scaling. Raises NoTrialsError."""
        return self._ok("strong_scaling", STRONG)

    def _ok(self, experiment: str, axes: tuple[str, ...]) -> pd.DataFrame:
        trials = self.trials.get(experiment)
        if trials is None or trials.empty:
            raise NoTrialsError(f"{experiment} was not measured")
        kept, _ = select(trials, axes)
        ok = ok_trials(kept)
        if ok.empty:
            raise NoTrialsError(f"{experiment}: no trial was ok")
        return ok

    @cached_property
    def model(self) -> BlockModel:
        """Of strong scaling, both saving flags together; a cell is (strategy, workers, saving)."""
        ok = self.strong
        return BlockModel.of(
            ok, list(ok[["strategy", "workers", "saving"]].itertuples(index=False, name=None))
        )

    def counts(self, *names: str, saving: bool = True) -> list[int]:
        """The worker counts up to the CPUs at which all these strategies were measured."""
        cells = self.model.cells
        present = [{each[1] for each in cells if each[0] == name and each[2] == saving} for name in names]  # type: ignore[index]
        return sorted(count for count in set.intersection(*present) if 1 < count <= self.cpus)


def scorecard(own: Own) -> list[Claim]:
    """Every claim, in the order of the study. What was not measured leaves its claims open."""
    claims = []
    for claim, check, as_printed in CLAIMS:
        try:
            verdict, here, reason = check(own)
        except NoTrialsError as error:
            verdict, here, reason = OPEN, "", str(error)
        claims.append(Claim(claim, verdict, here, as_printed(), reason))
    return claims


Verdict = tuple[str, str, str]  # verdict, here, reason
Check = Callable[[Own], Verdict]


def _side(interval: Interval, limit: float, below: bool) -> str:
    """Of a claim that a quantity is below, or above, a limit."""
    if not interval.known or interval.low <= limit <= interval.high:
        return OPEN
    return CONFIRMED if (interval.high < limit) == below else REFUTED


def _rounds(verdict: str) -> str:
    return "the interval holds the limit: more rounds would tell" if verdict == OPEN else ""


def _saturates(own: Own) -> Verdict:
    cpus = own.cpus
    if cpus < CORES_OF_SATURATION:
        return OPEN, "", f"{cpus} CPUs are fewer than the {CORES_OF_SATURATION} it takes to see it"
    counts = own.counts(P2.name)
    half = max((count for count in counts if count <= max(counts) / 2), default=0)
    if not half or max(counts) <= cpus / 2:
        raise NoTrialsError(f"P_2 was not measured with about {cpus} workers and with half as many")
    gain = own.model.ratio((P2.name, half, True), (P2.name, max(counts), True)).ratio()
    verdict = _side(gain, GAINS, below=True)
    here = f"P_2 with {max(counts)} workers is {with_interval(*gain)} times as fast as with {half}"
    return verdict, here, _rounds(verdict)


def _alike(own: Own) -> Verdict:
    workers = max(own.counts(P1.name, P2.name), default=0)
    if not workers:
        raise NoTrialsError("P_1 and P_2 were not both measured")
    times = own.model.ratio((P1.name, workers, True), (P2.name, workers, True)).ratio()
    inside = times.known and times.low > 1 / ALIKE and times.high < ALIKE
    outside = times.known and (times.high < 1 / ALIKE or times.low > ALIKE)
    verdict = CONFIRMED if inside else REFUTED if outside else OPEN
    here = f"P_1 takes {with_interval(*times)} times as long as P_2 with {workers} workers"
    return verdict, here, _rounds(verdict)


def _never_pays(own: Own) -> Verdict:
    model, counts = own.model, own.counts(P1.name, P2.name, PQ.name)
    if not counts:
        raise NoTrialsError("P_Q was not measured beside P_1 and P_2")
    times = {}
    for count in counts:
        best = min((P1.name, P2.name), key=lambda name: model.seconds((name, count, True)))
        times[count] = model.ratio((PQ.name, count, True), (best, count, True)).ratio()
    verdicts = [_side(each, 1.0, below=False) for each in times.values()]
    verdict = REFUTED if REFUTED in verdicts else OPEN if OPEN in verdicts else CONFIRMED
    here = ", ".join(f"{with_interval(*each)} with {count}" for count, each in times.items())
    return verdict, f"times as long as the better of P_1 and P_2: {here} workers", _rounds(verdict)


def _no_faster(own: Own) -> Verdict:
    model = own.model
    if not {(P2.name, FEW, True), (P2.name, FEW, False)} <= model.cells.keys():
        raise NoTrialsError("saving and not saving were not both measured with 2 workers")
    times = model.ratio((P2.name, FEW, False), (P2.name, FEW, True)).ratio()
    verdict = _side(times, NO_FASTER, below=False)
    here = f"without saving P_2 with {FEW} workers takes {with_interval(*times)} times as long as with it"
    return verdict, here, _rounds(verdict)


def _weak(own: Own, measure: str) -> Verdict:
    points = weak(own._ok("weak_scaling", WEAK))
    here = points[(points["strategy"] == P2.name) & points["saving"] & (points["workers"] > 1)]
    here = here[(here["workers"] <= own.cpus) & (here["workers"] < 32)].dropna(subset=measure)
    if here.empty:
        raise NoTrialsError("weak scaling was not measured with 2 workers or more and its references")
    row = here.sort_values("workers").iloc[-1]
    efficiency = Interval(*(float(row[f"{measure}{end}"]) for end in ("", "_low", "_high")))
    verdict = _side(efficiency, 1.0, below=False)
    return verdict, f"P_2 with {row['workers']} workers: {percent_interval(*efficiency)}", _rounds(verdict)


def _collapses(own: Own) -> Verdict:
    if (cpus := own.cpus) < CORES_OF_COLLAPSE:
        reason = f"{cpus} CPUs are fewer than the {CORES_OF_COLLAPSE} cores on which 32 and 64 ranks differ"
        return OPEN, "", reason
    ok = own._ok("weak_scaling", WEAK)
    model = BlockModel.of(ok, list(ok[["strategy", "workers", "saving"]].itertuples(index=False, name=None)))
    if not {(P2.name, 64, True), (P2.name, 32, True)} <= model.cells.keys():
        raise NoTrialsError("weak scaling was not measured with 32 and 64 workers")
    times = model.ratio((P2.name, 64, True), (P2.name, 32, True)).ratio()
    verdict = _side(times, 1.5, below=False)
    return verdict, f"64 ranks take {with_interval(*times)} times as long as 32", _rounds(verdict)


def _files(own: Own) -> Verdict:
    counts = own.counts(P2.name)
    ok, parts = own.strong, own.parts["strong_scaling"]
    saved = ok[(ok["strategy"] == P2.name) & ok["saving"] & (ok["workers"] == max(counts, default=0))]
    saved = recorded(saved, "tasks", parts)
    if saved.empty:
        raise NoTrialsError("no tasks of P_2 with saving were recorded")
    shares = []
    for trial_id in saved["trial_id"]:
        stages = parts.of("tasks", trial_id, STAGE_COLUMNS).sum()
        shares.append(float(stages[["read_s", "encode_s", "write_s"]].sum() / stages.sum()))
    mean, dof = sum(shares) / len(shares), len(shares) - 1
    half = float(stats.sem(shares) * stats.t.ppf((1 + LEVEL) / 2, dof)) if dof else nan
    share = Interval(mean, mean - half, mean + half)
    verdict = _side(share, HALF, below=True)
    taken = f"reading and saving take {percent_interval(*share)} of the seconds of P_2's tasks"
    return verdict, f"{taken} with {max(counts)} workers", _rounds(verdict)


def _memory(own: Own) -> Verdict:
    told: list[tuple[int, bool, dict[str, float], Interval]] = []
    for experiment in ("interference", "diagnosis"):
        if experiment in own.trials and len(own.trials[experiment]):
            trials, _ = of_one_workload(*comparable(own.trials[experiment]))
            told += _contentions(of_tasks(slowdowns(trials, own.parts[experiment])))
    if not told:
        raise NoTrialsError("interference was not measured: make interference")
    workers, _, resources, beside = max(told, key=lambda each: each[0])
    here = f"a task takes {with_interval(*beside)} times as long beside {workers - 1} busy copies"
    if resources:
        here += f"; it contends for {', '.join(resources)}"
        return CONFIRMED if MEMORY in resources else REFUTED, here, ""
    if own.cpus < CORES_OF_CONTENTION:
        reason = f"no contention is shown by {own.cpus} CPUs; the study's is of 16 and more"
        return OPEN, here, reason
    return OPEN, here, "no contention for any one resource is shown"


def _contentions(table: pd.DataFrame) -> list[tuple[int, bool, dict[str, float], Interval]]:
    """Per worker count and saving flag for what the workload contends, and the slowdown beside copies."""
    rows = []
    beside: Any = table[(table["neighbour"] == COPIES) & (table["quantity"] == "wall")]
    for row in beside.to_dict("records"):
        workers, saving = int(row["workers"]), bool(row["saving"])
        interval = Interval(row["slowdown"], row["low"], row["high"])
        rows.append((workers, saving, contended(table, workers, saving), interval))
    return rows


CLAIMS: tuple[tuple[str, Check, Callable[[], str]], ...] = (  # claim, its check here, what was printed
    ("The speedup saturates below the number of cores", _saturates, printed.peaks),
    ("P_1 and P_2 are close to each other", _alike, lambda: printed.ratio(P1.name, P2.name)),
    ("P_Q never pays", _never_pays, lambda: f"P_Q over P_2: {printed.ratio(PQ.name, P2.name)}"),
    ("Not saving is no faster with few workers", _no_faster, lambda: printed.no_saving(FEW)),
    (
        "Weak scaling is superlinear below 32 ranks",
        lambda own: _weak(own, "efficiency"),
        printed.weak_efficiency,
    ),
    (
        "Weak scaling is superlinear also when normalised by work",
        lambda own: _weak(own, "normalised_efficiency"),
        lambda: "not printed: no sequential time at the larger sizes",
    ),
    ("Weak scaling collapses at 2000x2000 pixels", _collapses, printed.collapse),
    (
        "Reading and saving are not the bottleneck",
        _files,
        lambda: "0.08 s of the master's 10 s are in imread, at 32 ranks",
    ),
    ("It is contention, of memory", _memory, lambda: "named, not measured"),
)
