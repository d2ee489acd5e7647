"""A search of `experiment=advise` held to machines whose truth is known.

`python -m experiments.calibration.simulated_machine` lets the search of `experiments.advise` order trials
on machines of 2 to 128 CPUs that exist as a model only, behind a virtual clock, and counts how often it
ends within its budget, recommends a candidate within 5 % of the true best, and prints a bound that covers
the truth. Every trial is a row of the real schema, with its tasks; no process is started.

A task takes longer beside others by the Universal Scalability Law (Gunther 2007), of the machine and of the
strategy; the second thread of a core adds a share of a CPU. Seconds vary as those of the reference rows do:
a drift with a memory of 10 to 70 s and a standard deviation of 7 to 8 %, and noise with heavy tails of 4 to
13 % in a trial of two seconds, twice that in one of an eighth of a second.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, inf, sqrt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from augment.strategies.dynamic import Dynamic, Threads
from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from experiments.advise.search import Order, Question, Rows, Search
from experiments.analysis.candidates import Candidate
from experiments.analysis.recommendation import RefusedError, recommend
from experiments.calibration.simulated_rows import Array, SimulatedParts, copied, frame, shared, trial_row
from experiments.store.columns import FAILED, OK, UNTOUCHED

BEGIN = datetime(2025, 4, 23, tzinfo=UTC)
CPUS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
STRATEGIES = (Dynamic.name, Threads.name, P2.name)
BUDGET_S, NEAR, ENOUGH = 180.0, 0.05, 0.92  # of the searches: a true 95 % passes it in 98 of 100 cases
FEW_TASKS = 5_000  # below which it matters who has the last one
OUTSIDE_S, LAUNCH_S, JOB_S = (
    0.55,
    0.3,
    0.1,
)  # of a trial beside its timed region, of a batch, of each job in it


@dataclass(frozen=True)
class Curve:
    """The slowdown of a strategy's tasks by each other: contention and coherency of the USL."""

    contention: float
    coherency: float
    task: float = 1.0  # times the seconds of a task in `sequential`
    start_s: float = 0.0  # from the begin of one worker to that of the next

    def speedup(self, cpus: float) -> float:
        """Return how many times as fast as one process so many CPUs are."""
        return cpus / (1 + self.contention * (cpus - 1) + self.coherency * cpus * (cpus - 1))


class SimulatedMachine:
    """A machine drawn from a seed, and what a search asks of it: `question`, `measure`, `clock`."""

    def __init__(self, seed: int) -> None:
        self._random = random = np.random.default_rng(seed)
        self.cpus = int(random.choice(CPUS))
        self._task_s = _between(random, 0.01, 0.15)
        self._siblings = float(random.choice([1.0, random.uniform(0.2, 0.8)]))  # what half of the CPUs count
        self._crowding = random.uniform(0.0, 0.3)  # lost by twice as many workers as CPUs
        self._study = 1 + random.uniform(0.02, 0.35)
        self._ceiling = Curve(_between(random, 1e-4, 0.02), _between(random, 1e-7, 3e-5))
        self._curves = {name: self._curve(name) for name in STRATEGIES}
        limit = random.uniform(0.4, 1.2) if random.random() < 0.3 else inf
        self._most_workers = max(limit * self.cpus, 2)
        self._broken = str(random.choice(STRATEGIES)) if random.random() < 0.2 else None
        self._slow_start_s = random.uniform(2, 10) if random.random() < 0.3 else 0.0
        self._drift, self._memory_s = random.uniform(0.07, 0.08), random.uniform(10, 70)
        self._noise, self._level = random.uniform(0.04, 0.13), random.normal()
        self._pixels = np.sort(2e6 * random.lognormal(0, 0.4, int(_between(random, 6, 2000)))).astype(int)
        self._augmentations, self._seed = int(_between(random, 5, 100)), seed
        self._now_s = self._drifted_s = 0.0
        self._rows: list[dict[str, Any]] = []
        self._parts, self._batches = SimulatedParts(), 0
        counts = {2**k for k in range(1, 8) if 2**k <= self.cpus} | {
            self.cpus,
            self.cpus + max(1, self.cpus // 4),
        }
        everyone = [
            Candidate(name, workers, runtime)
            for runtime in ("fast", "study")
            for workers in counts
            for name in STRATEGIES
        ]
        everyone.append(Candidate(Sequential.name, 1, "fast"))
        self.candidates = sorted(
            everyone, key=lambda each: (each.runtime_name, abs(each.workers - self.cpus))
        )
        self._candidates = self._asked()

    def _curve(self, name: str) -> Curve:
        random = self._random
        contention = self._ceiling.contention + _between(random, 1e-5, 0.05 if name == Threads.name else 0.01)
        coherency = self._ceiling.coherency + _between(random, 1e-7, 1e-5)
        start_s = 2e-4 if name == Threads.name else random.uniform(0.002, 0.006)
        return Curve(contention, coherency, 1 + random.uniform(0.0, 0.15), start_s)

    @property
    def question(self) -> Question:
        """The question of the search."""
        return Question(self.candidates, self._pixels.tolist(), self._augmentations, self.cpus, BUDGET_S)

    def clock(self) -> float:
        """Return the seconds since the search began, by the virtual clock."""
        return self._now_s

    def _asked(self) -> pd.DataFrame:
        """Return the table of candidates."""
        tasks = len(self._pixels) * self._augmentations
        known: dict[str, Any] = {"sweep": "search", "started_at": BEGIN, "experiment": "advise"}
        known |= {"files": len(self._pixels), "pixels": int(self._pixels.sum()), "tasks": tasks}
        known |= {"command": "python run.py", "budget_s": BUDGET_S}
        return frame([known | each._asdict() for each in self.candidates], "candidates")

    def measure(self, orders: Sequence[Order]) -> Rows:
        """Carry a batch out, in rounds, and return all that was measured."""
        self._now_s += LAUNCH_S + JOB_S * len(orders)
        self._batches += 1
        total = max(order.rounds for order in orders)
        for number in range(total):
            due = [order for order in orders if order.rounds >= total - number]
            for place in self._random.permutation(len(due)):
                self._trial(due[place], number)
        return self.rows

    @property
    def rows(self) -> Rows:
        """The results so far, and the question."""
        return frame(self._rows, "trials"), self._parts, self._candidates

    def _trial(self, order: Order, number: int) -> None:
        candidate, begin_s = order.candidate, self._now_s
        fails = candidate.strategy == self._broken or candidate.workers > self._most_workers
        row = self._row(order, number) | {"started_at": BEGIN + timedelta(seconds=begin_s)}
        outside_s = OUTSIDE_S * exp(0.2 * self._random.normal()) + (0.0 if self._rows else self._slow_start_s)
        self._now_s += outside_s
        if fails:
            error = "workers: too little memory" if candidate.strategy != self._broken else "it is broken"
            self._rows.append(trial_row(**row, status=FAILED, error=error))
            return
        tasks = self._tasks(order)
        wall_s = float(np.max(tasks["end_s"]))
        factor = self._factor(wall_s)
        self._parts.tasks[row["trial_id"]] = {
            name: values * factor if name.endswith("_s") else values for name, values in tasks.items()
        }
        wall_s *= factor
        self._now_s += wall_s
        self._rows.append(trial_row(**row, status=OK, wall_s=wall_s, untimed_s=outside_s))

    def _row(self, order: Order, number: int) -> dict[str, Any]:
        """Return what is known of a trial before it."""
        strategy, workers, runtime = order.candidate
        names = {str(k): int(self._pixels[place]) for k, place in enumerate(self._chosen(order.images))}
        return {
            "trial_id": f"{self._seed}-{len(self._rows)}",
            "experiment": "advise",
            "sweep": f"batch{self._batches}",
            "round": number,
            "strategy": strategy,
            "workers": workers,
            "runtime": f'{{"pipeline": "{runtime}"}}',
            "runtime_name": runtime,
            "ablation": UNTOUCHED,
            "inputs_digest": f"{order.images} images",
            "files": order.images,
            "n_images": order.images,
            "n_augmentations": order.augmentations,
            "tasks": order.images * order.augmentations,
            "sampled_images": str(names).replace("'", '"'),
            "machine": "simulated",
            "usable_cpus": self.cpus,
            "saving": True,
            "peak_rss_bytes": 10**8 * workers,
            "opencv_threads": 1,
        }

    def _chosen(self, images: int) -> Any:
        """Return the places of the images of a sample: small and large ones as they are among all."""
        ends = np.linspace(0, len(self._pixels), images + 1)
        return ((ends[:-1] + ends[1:]) / 2).astype(int)

    def _tasks(self, order: Order) -> dict[str, Any]:
        """Return the tasks of a trial in which the machine neither drifts nor is noisy."""
        strategy, workers, runtime = order.candidate
        sample = np.random.default_rng([self._seed, order.images, order.augmentations])
        larger = self._pixels[self._chosen(order.images)] / self._pixels.mean()
        varied = sample.gamma(4.0, 1 / 4.0, (order.images, order.augmentations))
        seconds = larger[:, np.newaxis] * varied * self._task_s * self._times(runtime)
        if strategy == Copies.name:
            begins_s = 0.004 * np.arange(1.0, workers + 1)
            return copied(seconds * workers / self._ceiling.speedup(self._effective(workers)), begins_s)
        if strategy == Sequential.name:
            return shared(seconds, np.array([0.001]))
        curve = self._curves[strategy]
        return shared(
            seconds * curve.task * workers / self._speedup(order.candidate), self._begins_s(order.candidate)
        )

    def _begins_s(self, candidate: Candidate) -> Array:
        return self._curves[candidate.strategy].start_s * np.arange(1.0, candidate.workers + 1)

    def _times(self, runtime: str) -> float:
        return self._study if runtime == "study" else 1.0

    def _effective(self, workers: int) -> float:
        """Return how many cores so many workers amount to."""
        cores = (self.cpus + 1) // 2
        busy = min(workers, self.cpus)
        return busy if busy <= cores else cores + self._siblings * (busy - cores)

    def _speedup(self, candidate: Candidate) -> float:
        crowded = max(candidate.workers / self.cpus - 1, 0)
        speedup = self._curves[candidate.strategy].speedup(self._effective(candidate.workers))
        return speedup * (1 - self._crowding * crowded)

    def _factor(self, wall_s: float) -> float:
        """Return by how much a trial of so many seconds takes longer than its model says."""
        moment_s = self._now_s + wall_s / 2
        stay = exp(-(moment_s - self._drifted_s) / self._memory_s)
        self._level = stay * self._level + sqrt(1 - stay**2) * self._random.normal()
        self._drifted_s = moment_s
        noise = self._noise * (2 / max(wall_s, 0.1)) ** 0.25 * self._random.standard_t(5) / sqrt(5 / 3)
        return exp(self._drift * self._level + noise)

    def true_s(self, candidate: Candidate) -> float:
        """Return the seconds that a candidate's command truly takes; infinite if it fails."""
        if candidate.strategy == self._broken or candidate.workers > self._most_workers:
            return float("inf")
        order = Order(candidate, len(self._pixels), self._augmentations)
        if order.images * order.augmentations <= FEW_TASKS:
            return float(self._tasks(order)["end_s"].max())
        times = self._study if candidate.runtime_name == "study" else 1.0
        work_s = order.images * order.augmentations * self._task_s * times
        if candidate.strategy == Sequential.name:
            return work_s
        slower = self._curves[candidate.strategy].task / self._speedup(candidate)
        return work_s * slower + float(self._begins_s(candidate).mean())


def _between(random: np.random.Generator, low: float, high: float) -> float:
    """Return a number drawn so that its logarithm is uniform."""
    return float(exp(random.uniform(np.log(low), np.log(high))))


class Outcome(NamedTuple):
    """The outcome of one search, in shares of the true best's time."""

    seed: int
    cpus: int
    seconds: float
    answer: str  # the recommended candidate, or why there is none
    slower: float = float("inf")
    bound: float = float("nan")

    @property
    def in_time(self) -> bool:
        return self.seconds <= BUDGET_S

    @property
    def is_near(self) -> bool:
        return self.slower <= NEAR

    @property
    def is_covered(self) -> bool:
        return self.slower <= self.bound


def search(seed: int) -> Outcome:
    """Return what came of the search on the machine of a seed."""
    machine = SimulatedMachine(seed)
    Search(machine.question, machine.measure, machine.clock).run()
    try:
        advice = recommend(*machine.rows)
    except RefusedError as error:
        return Outcome(seed, machine.cpus, machine.clock(), str(error))
    best_s, chosen_s = min(map(machine.true_s, machine.candidates)), machine.true_s(advice.candidate)
    name = "{} with {} workers, runtime={}".format(*advice.candidate)
    return Outcome(
        seed,
        machine.cpus,
        machine.clock(),
        name,
        chosen_s / best_s - 1,
        advice.bound,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=200, help="how many machines, seeds 0, 1, …")
    searches = parser.parse_args().searches
    outcomes = [search(seed) for seed in tqdm(range(searches), disable=not sys.stderr.isatty())]
    for each in outcomes:
        if not (each.in_time and each.is_near and each.is_covered):
            print(
                f"seed {each.seed}, {each.cpus} CPUs, {each.seconds:.0f} s: {each.answer}; "
                f"{each.slower:.1%} slower, bound {each.bound:.1%}"
            )
    counts = {
        f"ended within {BUDGET_S:.0f} s": (sum(each.in_time for each in outcomes), searches),
        f"within {NEAR:.0%} of the true best": (sum(each.is_near for each in outcomes), ENOUGH * searches),
        "bound covers the truth": (sum(each.is_covered for each in outcomes), ENOUGH * searches),
    }
    for name, (count, least) in counts.items():
        print(f"{name}: {count} of {searches} (at least {least:.0f})")
    return int(any(count < least for count, least in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
