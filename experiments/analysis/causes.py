"""The rules that name a cause; experiments.analysis.verdict says in which order they are asked."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from experiments.analysis.ceilings import PAGES, inflation
from experiments.analysis.inflation import CLOCK, MEMORY_BOUND, UNDECIDED, inflation_cause
from experiments.analysis.losses import LOSSES, Point
from experiments.analysis.statistics import FLOOR
from experiments.analysis.text import percent

IMBALANCE, COORDINATION = "load imbalance", "coordination (serial master, transfer)"
OVERSUBSCRIBED, PAGE_FAULTS = "oversubscription", "page-fault churn"
BLOCKED, NOISE_ONLY = "blocked on storage or locks", "inside the noise"

NOISE = FLOOR  # of P T: two runs of the same code differ by that much, however often repeated
LEADS = 0.75  # of the samples: three to one for the loss that is named
OF_WORK = 1 / 3  # of P T: without it the work would be done in two thirds of the time
OUTWEIGHS = 2.0  # times the leading loss
OVERLONG = 2.0  # times the wait that the threads beyond the CPUs explain: more is another load's
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


def work_itself(point: Point) -> Finding | None:
    """Work that waits, or is served fresh pages, most of its time, whether it scales or not."""
    leading = max(point.share(name)[0] for name in LOSSES)
    limit = max(OF_WORK, OUTWEIGHS * leading)
    for name, cause in (("whole_blocked", BLOCKED), ("whole_system", PAGE_FAULTS)):
        share = point.share(name)[0]
        if point.workers > 1 and share >= limit and (cause == BLOCKED or _faults_cost_that(point)):
            what = "waits without a CPU" if cause == BLOCKED else "is served fresh pages by the kernel"
            words = f"the work itself {what} for {percent(share)} of all worker-seconds"
            more = point.share("blocked" if cause == BLOCKED else "system")[0]
            words += f", {percent(share - more)} already in the reference"
            return Finding(cause, words + (_faults(point) if cause == PAGE_FAULTS else ""), (name,))
    return None


def within_noise(point: Point) -> Finding | None:
    """A loss that repetitions, or the machine between them, explain."""
    loss, low, _ = point.share(*LOSSES)
    if min(loss, loss if np.isnan(low) else low) > NOISE:
        return None
    words = f"{percent(loss)} are lost, and {percent(NOISE)} or the repetitions' spread is noise"
    drift = point.share("drift")[0]
    if abs(drift) > NOISE:
        words += f"; {percent(drift)} are the machine's drift between the reference and these trials"
    return Finding(NOISE_ONLY, words)


def leading_loss(point: Point, inflations: pd.DataFrame) -> Finding:
    """The cause of the largest loss."""
    groups = _groups(point)
    samples = pd.DataFrame({name: point.samples[list(of)].sum(axis=1) for name, of in groups.items()})
    first, second = sorted(groups, key=lambda name: -samples[name].mean())[:2]
    of = groups[first]
    if (samples[first] >= samples[second]).mean() < LEADS:
        both = of + groups[second]
        words = f"{_named(point, first)} and {_named(point, second)} lose about as much"
        if point.share(*of)[0] <= NOISE:
            return Finding(NOISE_ONLY, f"{words}, and neither of them more than {percent(NOISE)}", both)
        return Finding(UNDECIDED, words, both)
    if first == "user":
        return Finding(*inflation_cause(point, inflations), of)
    rules = {"wait": _wait, "system": _system, "blocked": _blocked, "coordination": _coordination}
    return rules.get(first, _imbalance)(point, of, inflations)


def _named(point: Point, loss: str) -> str:
    return f"{loss} ({percent(point.share(loss)[0])})"


def _groups(point: Point) -> dict[str, tuple[str, ...]]:
    """The losses; with helper threads beyond the CPUs, what a process waits for its helpers (blocked)
    and what they spin (user) is wait as well."""
    if not (_runnable(point) > point.average("usable_cpus") and _threads_at_work(point) > HELPED):
        return {name: (name,) for name in LOSSES}
    helpers = ("wait", "blocked", "user")
    return {name: helpers if name == "wait" else (name,) for name in LOSSES if name not in helpers[1:]}


def _threads_at_work(point: Point) -> float:
    """CPU seconds per busy second of a worker, here or in the reference, which has the CPUs to itself:
    more than one thread of it was at work, OpenCV's or its own."""
    sides = ("", "reference_")
    cpu_s = [point.average(f"{side}user_s") + point.average(f"{side}system_s") for side in sides]
    return max(cpu / point.average(f"{side}busy_s") for cpu, side in zip(cpu_s, sides, strict=True))


def _runnable(point: Point) -> float:
    """Threads that want a CPU at the same time: the workers' and, if they are busy, master and manager."""
    at_work = _threads_at_work(point)
    threads = max(np.nan_to_num(point.average("opencv_threads")), at_work if at_work > HELPED else 1.0)
    beside = np.nan_to_num(point.average("outside_cpu_s")) / point.average("wall_s")
    return float(point.workers * threads + (beside if beside > BESIDE else 0.0))


def _wait(point: Point, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    words = f"tasks wait runnable without a CPU for {percent(point.share('wait')[0])} of all worker-seconds"
    if len(of) > 1:
        share = percent(point.share(*of)[0])
        words = f"with their helper threads, {share} of all worker-seconds go in waiting"
    runnable, cpus = _runnable(point), point.average("usable_cpus")
    words += f": {runnable:.3g} to run on {cpus:.0f} CPUs, helper threads, master and manager included"
    if OVERLONG * (1 - cpus / runnable) >= point.share("wait")[0]:
        return Finding(OVERSUBSCRIBED, words, of)
    return Finding(UNDECIDED, f"{words}, too few to wait that long: another load on this machine", of)


def _system(point: Point, of: tuple[str, ...], inflations: pd.DataFrame) -> Finding:
    words = f"{percent(point.share('system')[0])} of all worker-seconds are system CPU beyond the reference's"
    words += _faults(point)
    if not _faults_cost_that(point):
        return Finding(UNDECIDED, f"{words}: too few to be its cause", of)
    probe = inflation(inflations, PAGES, point.workers, "system", point.saving)
    dearer = point.average("system_s") / max(point.average("reference_system_s"), 1e-9)
    more = point.average("faults") / max(point.average("reference_faults"), 1.0)
    if probe and more < 1 + ALIKE * (dearer - 1) and probe[0] < 1 + ALIKE * (dearer - 1):
        return Finding(UNDECIDED, f"{words}, neither more of them nor dearer ones (probe {probe[0]:.2f})", of)
    words += f"; the probe of fresh pages inflates {probe[0]:.2f} times" if probe else ""
    return Finding(PAGE_FAULTS, words, of)


def _faults_cost_that(point: Point) -> bool:
    return point.average("system_s") <= FAULT_COST_S * point.average("faults")


def _faults(point: Point) -> str:
    faults, reference = point.average("faults"), point.average("reference_faults")
    return f", with {faults:,.0f} page faults ({reference:,.0f} in the reference)"


def _blocked(point: Point, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    files = point.average("files_s") - point.average("reference_files_s")
    blocked = point.average("extra_blocked_s")
    where = "reading and writing files" if files > blocked / 2 else "transforming or encoding, not in files"
    words = f"tasks wait without a CPU for {percent(point.share('blocked')[0])} of all worker-seconds more"
    if not point.accounts["wait_known"].all():
        return Finding(UNDECIDED, f"{words}, and run-queue wait, which was not recorded, may be in it", of)
    return Finding(BLOCKED, f"{words} than the reference, most of it in {where}", of)


def _coordination(point: Point, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    total = point.average("total_s")
    names = {"startup_s": "before", "gaps_s": "between", "drain_s": "after"}
    each = ", ".join(f"{percent(point.average(name) / total)} {word}" for name, word in names.items())
    words = f"the busiest worker idles {each} its tasks"
    if (again := point.average("extra_reading_s") / total) > 0:
        words += f"; re-reading images takes {percent(again)}"
    if (sending := point.average("sending_s") / total) > 0:
        words += f"; sending to savers takes {percent(sending)}"
    return Finding(COORDINATION, words, of)


def _imbalance(point: Point, of: tuple[str, ...], _: pd.DataFrame) -> Finding:
    words = f"workers idle for {percent(point.share('imbalance')[0])} of all worker-seconds"
    return Finding(IMBALANCE, f"{words} while the busiest one still has tasks", of)
