"""The rules that name a cause; experiments.analysis.verdict says in which order they are asked."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.analysis.ceilings import PAGES, inflation
from experiments.analysis.inflation import CLOCK, MEMORY_BOUND, UNDECIDED, inflation_cause
from experiments.analysis.losses import LOSSES, Cell
from experiments.analysis.statistics import FLOOR

IMBALANCE, COORDINATION = "load imbalance", "coordination (serial master, transfer)"
OVERSUBSCRIBED, PAGE_FAULTS = "oversubscription", "page-fault churn"
BLOCKED, NOISE_ONLY = "blocked on storage or locks", "inside the noise"

NOISE = FLOOR  # of P T: two runs of the same code differ by that much, however often repeated
LEADS = 0.75  # of the draws: three to one for the loss that is named
OF_WORK = 1 / 3  # of P T: without it the work would be done in two thirds of the time
TWICE = 2.0  # what outweighs the leading loss, and how much longer than the surplus explains one may wait
FAULT_COST_S = 2.5e-4  # at most: 4 KiB take 0.1 to 10 us, to zero 2 MiB at 8 GB/s takes 250 us
ALIKE = 0.5  # of the inflation: a probe that inflates less does not show the same
HELPED = 1.05  # CPU seconds per busy second: more than one thread of a process was at work
BESIDE = 0.1  # CPUs that master and manager must keep busy to count as one more to run

ADVICE = {
    IMBALANCE: "Deal tasks out in smaller chunks or on demand; with P_Q, change the number of savers.",
    COORDINATION: "Send less and earlier: let the workers read for themselves and claim their own tasks.",
    OVERSUBSCRIBED: "No more workers x OpenCV threads than CPUs: fewer workers, runtime.opencv_threads=1.",
    PAGE_FAULTS: "Keep freed memory in the process: runtime.allocator=retain, or huge pages.",
    MEMORY_BOUND: "Fewer workers or smaller images: the memory is busy; transforms in one pass would help.",
    CLOCK: "The cores slow each other down: no more workers than physical cores.",
    BLOCKED: "Faster storage (a tmpfs), or without the lock or wait; more workers than CPUs may hide it.",
    NOISE_ONLY: "Nothing to gain here.",
    UNDECIDED: "Measure again with probes and replicas, more repetitions, and nothing else running.",
}


@dataclass(frozen=True)
class Finding:
    """A cause, the sentence that speaks for it, and the losses (or WHOLE) that it is made of."""

    cause: str
    evidence: str
    of: tuple[str, ...] = LOSSES


def work_itself(cell: Cell) -> Finding | None:
    """Work that waits, or is served fresh pages, most of its time, whether it scales or not."""
    leading = max(cell.share(name)[0] for name in LOSSES)
    least = max(OF_WORK, TWICE * leading)
    for name, cause in (("whole_blocked", BLOCKED), ("whole_system", PAGE_FAULTS)):
        share = cell.share(name)[0]
        if cell.workers > 1 and share >= least and (cause == BLOCKED or _faults_cost_that(cell)):
            what = "waits without a CPU" if cause == BLOCKED else "is served fresh pages by the kernel"
            said = f"the work itself {what} for {percent(share)} of all worker-seconds"
            more = cell.share("blocked" if cause == BLOCKED else "system")[0]
            said += f", {percent(share - more)} already in the reference"
            return Finding(cause, said + (_faults(cell) if cause == PAGE_FAULTS else ""), (name,))
    return None


def within_noise(cell: Cell) -> Finding | None:
    """A loss that repetitions, or the machine between them, explain."""
    loss, low, _ = cell.share(*LOSSES)
    if min(loss, loss if np.isnan(low) else low) > NOISE:
        return None
    said = f"{percent(loss)} are lost, and {percent(NOISE)} or the repetitions' spread is noise"
    drift = cell.share("drift")[0]
    if abs(drift) > NOISE:
        said += f"; {percent(drift)} are the machine's drift between the reference and these trials"
    return Finding(NOISE_ONLY, said)


def leading_loss(cell: Cell, inflations: pd.DataFrame) -> Finding:
    """The cause of the largest loss."""
    groups = _groups(cell)
    drawn = pd.DataFrame({name: cell.draws[list(of)].sum(axis=1) for name, of in groups.items()})
    first, second = sorted(groups, key=lambda name: -drawn[name].mean())[:2]
    of = groups[first]
    if (drawn[first] >= drawn[second]).mean() < LEADS:
        both = of + groups[second]
        said = f"{_named(cell, first)} and {_named(cell, second)} lose about as much"
        if cell.share(*of)[0] <= NOISE:
            return Finding(NOISE_ONLY, f"{said}, and neither of them more than {percent(NOISE)}", both)
        return Finding(UNDECIDED, said, both)
    if first == "user":
        return Finding(*inflation_cause(cell, inflations), of)
    rules = {"wait": _wait, "system": _system, "blocked": _blocked, "coordination": _coordination}
    return rules.get(first, _imbalance)(cell, of, inflations)


def _named(cell: Cell, loss: str) -> str:
    return f"{loss} ({percent(cell.share(loss)[0])})"


def _groups(cell: Cell) -> dict[str, tuple[str, ...]]:
    """The losses; with helper threads beyond the CPUs, what a process waits for its helpers (blocked)
    and what they spin (user) is wait as well."""
    if not (_runnable(cell) > _cpus(cell) and _threads_at_work(cell) > HELPED):
        return {name: (name,) for name in LOSSES}
    helpers = ("wait", "blocked", "user")
    return {name: helpers if name == "wait" else (name,) for name in LOSSES if name not in helpers[1:]}


def _threads_at_work(cell: Cell) -> float:
    """CPU seconds per busy second of a worker, here or in the reference, which has the CPUs to itself:
    more than one thread of it was at work, OpenCV's or its own."""
    sides = ("", "reference_")
    cpu_s = [cell.average(f"{side}user_s") + cell.average(f"{side}system_s") for side in sides]
    return max(cpu / cell.average(f"{side}busy_s") for cpu, side in zip(cpu_s, sides, strict=True))


def _cpus(cell: Cell) -> float:
    return cell.average("usable_cpus")


def _runnable(cell: Cell) -> float:
    """Threads that want a CPU at the same time: the workers' and, if they are busy, master and manager."""
    at_work = _threads_at_work(cell)
    threads = max(np.nan_to_num(cell.average("opencv_threads")), at_work if at_work > HELPED else 1.0)
    beside = np.nan_to_num(cell.average("outside_cpu_s")) / cell.average("wall_s")
    return float(cell.workers * threads + (beside if beside > BESIDE else 0.0))


def _wait(cell: Cell, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    said = f"tasks wait runnable without a CPU for {percent(cell.share('wait')[0])} of all worker-seconds"
    if len(of) > 1:
        said = f"with their helper threads, {percent(cell.share(*of)[0])} of all worker-seconds go in waiting"
    runnable, cpus = _runnable(cell), _cpus(cell)
    said += f": {runnable:.3g} to run on {cpus:.0f} CPUs, helper threads, master and manager included"
    if TWICE * (1 - cpus / runnable) >= cell.share("wait")[0]:
        return Finding(OVERSUBSCRIBED, said, of)
    return Finding(UNDECIDED, f"{said}, too few to wait that long: another load on this machine", of)


def _system(cell: Cell, of: tuple[str, ...], inflations: pd.DataFrame) -> Finding:
    said = f"{percent(cell.share('system')[0])} of all worker-seconds are system CPU beyond the reference's"
    said += _faults(cell)
    if not _faults_cost_that(cell):
        return Finding(UNDECIDED, f"{said}: too few to be its cause", of)
    probe = inflation(inflations, PAGES, cell.workers, "system", cell.saving)
    own = cell.average("system_s") / max(cell.average("reference_system_s"), 1e-9)
    more = cell.average("faults") / max(cell.average("reference_faults"), 1.0)
    if probe and more < 1 + ALIKE * (own - 1) and probe[0] < 1 + ALIKE * (own - 1):
        return Finding(UNDECIDED, f"{said}, neither more of them nor dearer ones (probe {probe[0]:.2f})", of)
    return Finding(
        PAGE_FAULTS, said + (f"; the probe of fresh pages inflates {probe[0]:.2f} times" if probe else ""), of
    )


def _faults_cost_that(cell: Cell) -> bool:
    return cell.average("system_s") <= FAULT_COST_S * cell.average("faults")


def _faults(cell: Cell) -> str:
    here, reference = cell.average("faults"), cell.average("reference_faults")
    return f", with {here:,.0f} page faults ({reference:,.0f} in the reference)"


def _blocked(cell: Cell, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    files = cell.average("files_s") - cell.average("reference_files_s")
    blocked = cell.average("extra_blocked_s")
    where = "reading and writing files" if files > blocked / 2 else "transforming or encoding, not in files"
    said = f"tasks wait without a CPU for {percent(cell.share('blocked')[0])} of all worker-seconds more"
    if not cell.wait_known:
        return Finding(UNDECIDED, f"{said}, and run-queue wait, which was not recorded, may be in it", of)
    return Finding(BLOCKED, f"{said} than the reference, most of it in {where}", of)


def _coordination(cell: Cell, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    total = cell.average("total_s")
    names = {"startup_s": "before", "gaps_s": "between", "drain_s": "after"}
    each = ", ".join(f"{percent(cell.average(name) / total)} {word}" for name, word in names.items())
    said = f"the busiest worker idles {each} its tasks"
    if (again := cell.average("extra_reading_s") / total) > 0:
        said += f"; re-reading images takes {percent(again)}"
    if (sending := cell.average("sending_s") / total) > 0:
        said += f"; sending to savers takes {percent(sending)}"
    return Finding(COORDINATION, said, of)


def _imbalance(cell: Cell, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    said = f"workers idle for {percent(cell.share('imbalance')[0])} of all worker-seconds"
    return Finding(IMBALANCE, f"{said} while the busiest one still has tasks", of)


def percent(share: float) -> str:
    return f"{round(100 * share)} %"  # an int has no -0
