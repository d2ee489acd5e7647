"""A machine as a model: how long tasks truly take on it, by strategy, runtime and workers.

A task takes longer beside others by the Universal Scalability Law (Gunther 2007), of the machine and of the
strategy; the second thread of a core adds a share of a CPU. Workers begin one after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf
from typing import Any

import numpy as np

from augment.strategies.dynamic import Dynamic, Threads
from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from experiments.analysis.candidates import Candidate
from experiments.calibration.simulated_rows import copied, shared

CPUS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
STRATEGIES = (Dynamic.name, Threads.name, P2.name)
RUNTIMES = ("fast", "study")
BOARD_PIXELS = 2e6  # of the median image
FORK_S = 0.004  # from the begin of one copy to that of the next
FEW_TASKS = 5_000  # below which it matters who has the last one


@dataclass(frozen=True)
class Curve:
    """The slowdown of a strategy's tasks by each other: contention and coherency of the law."""

    contention: float
    coherency: float
    task: float = 1.0  # times the seconds of a task in `sequential`
    start_s: float = FORK_S  # from the begin of one worker to that of the next

    def speedup(self, cpus: float) -> float:
        """Return how many times as fast as one process so many CPUs are."""
        return cpus / (1 + self.contention * (cpus - 1) + self.coherency * cpus * (cpus - 1))


class MachineModel:
    """A machine of 2 to 128 CPUs with a folder of images, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.seed, random = seed, np.random.default_rng(seed)
        self.cpus = int(random.choice(CPUS))
        self.task_s = _between(random, 0.01, 0.15)
        self.siblings = float(random.choice([1.0, random.uniform(0.2, 0.8)]))  # what half of the CPUs count
        self.crowding = random.uniform(0.0, 0.3)  # lost by twice as many workers as CPUs
        self.slower = dict(zip(RUNTIMES, (1.0, 1 + random.uniform(0.02, 0.35)), strict=True))
        self.ceiling = Curve(_between(random, 1e-4, 0.02), _between(random, 1e-7, 3e-5))
        self.curves = {name: _curve(name, self.ceiling, random) for name in STRATEGIES}
        self.most_workers = max(self.cpus * random.uniform(0.4, 1.2), 2) if random.random() < 0.3 else inf
        self.broken = str(random.choice(STRATEGIES)) if random.random() < 0.2 else None
        self.pixels = np.sort(BOARD_PIXELS * random.lognormal(0, 0.4, int(_between(random, 6, 2000)))).astype(
            int
        )
        self.n_augmentations = int(_between(random, 5, 100))

    def candidates(self) -> list[Candidate]:
        """Return what `experiment=advise` looks for the best of, in its order."""
        over = self.cpus + max(1, self.cpus // 4)
        counts = {2**k for k in range(1, 8) if 2**k <= self.cpus} | {self.cpus, over}
        several = [Candidate(name, n, each) for each in RUNTIMES for n in counts for name in STRATEGIES]
        everyone = [*several, Candidate(Sequential.name, 1, RUNTIMES[0])]
        return sorted(everyone, key=lambda each: (each.runtime_name, abs(each.workers - self.cpus)))

    def error(self, candidate: Candidate) -> str | None:
        """Return why a candidate fails."""
        if candidate.strategy == self.broken:
            return "it is broken"
        return "workers: too little memory" if candidate.workers > self.most_workers else None

    def sample(self, images: int) -> Sequence[int]:
        """Return the pixels of the images of a sample: small and large ones as they are among all."""
        ends = np.linspace(0, len(self.pixels), images + 1)
        pixels: Sequence[int] = self.pixels[((ends[:-1] + ends[1:]) / 2).astype(int)].tolist()
        return pixels

    def tasks(self, candidate: Candidate, images: int, augmentations: int) -> dict[str, Any]:
        """Return the columns of the tasks of a trial."""
        strategy, workers, runtime = candidate
        varied = np.random.default_rng([self.seed, images, augmentations]).gamma(
            4, 1 / 4, (images, augmentations)
        )
        larger = np.array(self.sample(images)) / self.pixels.mean()
        seconds = larger[:, np.newaxis] * varied * self.task_s * self.slower[runtime]
        numbers = np.arange(1.0, workers + 1)
        if strategy == Copies.name:
            return copied(seconds * workers / self.ceiling.speedup(self._cores(workers)), FORK_S * numbers)
        return shared(seconds * self._slowdown(candidate), self._start_s(candidate) * numbers)

    def true_s(self, candidate: Candidate) -> float:
        """Return the seconds that a candidate takes for the whole; infinite if it fails."""
        images = len(self.pixels)
        if self.error(candidate):
            return inf
        if images * self.n_augmentations <= FEW_TASKS:
            return float(self.tasks(candidate, images, self.n_augmentations)["end_s"].max())
        work_s = images * self.n_augmentations * self.task_s * self.slower[candidate.runtime_name]
        start_s = self._start_s(candidate) * (candidate.workers + 1) / 2
        return work_s * self._slowdown(candidate) / candidate.workers + start_s

    def _start_s(self, candidate: Candidate) -> float:
        curve = self.curves.get(candidate.strategy)
        return curve.start_s if curve else 0.0

    def _cores(self, workers: int) -> float:
        """Return how many cores so many workers amount to."""
        cores, busy = (self.cpus + 1) // 2, min(workers, self.cpus)
        return busy if busy <= cores else cores + self.siblings * (busy - cores)

    def _slowdown(self, candidate: Candidate) -> float:
        """Return how many times as long a task takes beside those of the other workers."""
        curve = self.curves.get(candidate.strategy)
        if curve is None:  # one process
            return 1.0
        crowded = 1 - self.crowding * max(candidate.workers / self.cpus - 1, 0)
        return curve.task * candidate.workers / (curve.speedup(self._cores(candidate.workers)) * crowded)


def _curve(name: str, ceiling: Curve, random: np.random.Generator) -> Curve:
    contention = ceiling.contention + _between(random, 1e-5, 0.05 if name == Threads.name else 0.01)
    coherency = ceiling.coherency + _between(random, 1e-7, 1e-5)
    start_s = 2e-4 if name == Threads.name else random.uniform(0.002, 0.006)
    return Curve(contention, coherency, 1 + random.uniform(0.0, 0.15), start_s)


def _between(random: np.random.Generator, low: float, high: float) -> float:
    """Return a number drawn so that its logarithm is uniform."""
    return float(exp(random.uniform(np.log(low), np.log(high))))
