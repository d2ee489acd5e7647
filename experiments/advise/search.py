"""The search: what one batch of trials has measured decides what the next one measures.

A pilot tells what a task takes. Then every candidate is measured once, as many of them as there is time for;
the faster half a second time; then the recommended one beside half as many rivals, the strongest, and so on,
until it is good enough (CERTAIN) or the time is up. At last it is held against the machine's ceiling, and one
long run of it tells what its command will reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from experiments.analysis.candidates import Candidate, Comparison
from experiments.store.columns import OK

PILOTS = ((Sequential.name, 1), (P2.name, 2))
PILOT_TASKS, PILOT_SHARE = 48, 0.05  # at most; of the budget, if a megapixel takes MEGAPIXEL_S
MEGAPIXEL_S = 0.04
TRIAL_S, TASKS_A_WORKER = 1.0, 5  # of a trial with as many workers as CPUs, at least
SCALING = 0.85  # a first guess: n workers are as fast as n to this power
FIRST_UNTIL, ROUNDS_UNTIL, CEILING_UNTIL = 0.3, 0.72, 0.87  # of the budget
MIN_SECOND = 4  # candidates, at least, have a second trial
CERTAIN, MIN_ROUNDS = 0.02, 5  # a bound on the slowdown that is good enough, after so many rounds
CEILING_ROUNDS, CEILING_TASKS = 3, 10  # tasks a worker, at least: with fewer they are hardly ever all busy
LONG_RUN = 0.6  # of what is left: a trial may take longer than expected
MIN_IMAGES = 8  # of a sample, before each is augmented as often as asked for: an image is decoded once
ANSWER_S = 3.0


@dataclass(frozen=True)
class Question:
    """The candidates that can work, the first to be tried first, and what they are tried with."""

    candidates: Sequence[Candidate]
    n_images: int  # of the whole
    pixels: float  # of an image, on average
    n_augmentations: int
    cpus: int
    budget_s: float

    def sample(self, tasks: float) -> tuple[int, int]:
        """Return images and augmentations of a sample of so many tasks: MIN_IMAGES, then those asked for."""
        fewest = min(MIN_IMAGES, int(tasks))
        images = max(1, min(self.n_images, max(fewest, round(tasks / self.n_augmentations))))
        return images, max(1, min(self.n_augmentations, ceil(tasks / images)))


class Order(NamedTuple):
    """Trials of a candidate or reference, one a round, on a sample of the images."""

    candidate: Candidate
    images: int
    augmentations: int
    rounds: int = 1
    is_pilot: bool = False  # saves, whatever is asked for, so that outputs can be compared


@dataclass
class Search:
    """A search. It knows of the machine only the results of its orders."""

    question: Question
    measure: Callable[[Sequence[Order]], Comparison]  # carries a batch of orders out in rounds
    clock: Callable[[], float]  # seconds since the begin

    def run(self) -> None:
        """Order trials until one candidate is good enough (CERTAIN), or the budget is spent."""
        if not self._pilot():
            return
        self._first_round()
        first = self._comparison.ranked
        self._rounds(first[: max(len(first) // 2, MIN_SECOND)], ROUNDS_UNTIL)
        if self._comparison.bounds:
            self._ceiling()
        self._rounds(self._strongest(1), CEILING_UNTIL)  # if there was no time for the ceiling
        if self._comparison.bounds:  # code that has changed meanwhile leaves nothing to compare
            self._long_run()

    def _launch(self, orders: Sequence[Order]) -> None:
        self._comparison = self.measure(orders)

    def _left_s(self, until: float = 1.0) -> float:
        """Return the seconds until so much of the budget is spent."""
        return until * self.question.budget_s - ANSWER_S - self.clock()

    def _seconds(self, candidate: Candidate) -> float:
        """Return the seconds of a candidate's trial on the sample: as measured, or by its workers."""
        if candidate in self._comparison.model.cells:
            return self._untimed_s + float(self._comparison.of(candidate)["wall_s"].mean())
        workers = min(candidate.workers, self.question.cpus)
        return self._untimed_s + self._tasks * self._task_s / float(workers**SCALING)

    def _pilot(self) -> bool:
        """Measure a few tasks, choose the sample, and return whether the budget leaves a chance."""
        question = self.question
        expected_s = MEGAPIXEL_S * question.pixels / 1e6 + 1e-9
        size = question.sample(max(min(PILOT_SHARE * question.budget_s / expected_s, PILOT_TASKS), 2))
        runtime = question.candidates[0].runtime_name
        self._launch([Order(Candidate(*each, runtime), *size, is_pilot=True) for each in PILOTS])
        trials = self._comparison.trials
        ok = trials[(trials["status"] == OK) & (trials["strategy"] == Sequential.name)]
        if ok.empty:
            return False
        self._task_s = float((ok["wall_s"] / ok["tasks"]).iloc[-1])
        self._untimed_s = float(trials["untimed_s"].min())  # the first trial looks into every image
        tasks = question.cpus * max(TRIAL_S / self._task_s, TASKS_A_WORKER)
        self._size = question.sample(max(tasks, size[0] * size[1]))  # `compare` takes the largest sample
        self._tasks = self._size[0] * self._size[1]
        return True

    def _first_round(self) -> None:
        """Measure as many candidates as there is time for once; the fastest again if some have failed."""
        queue, known = list(self.question.candidates), list[Candidate]()
        while queue:
            batch = self._fitting([*known, *queue], FIRST_UNTIL)
            if len(batch) < 2 and not known:
                batch = self._fitting(queue[:2], ROUNDS_UNTIL)
            if len(batch) < 2:
                return
            queue = queue[len(batch) - len(known) :]
            self._launch([Order(each, *self._size) for each in batch])
            known = self._comparison.ranked[:1]

    def _strongest(self, count: int) -> list[Candidate]:
        """Return the recommended candidate and its strongest rivals; it alone if it is good enough."""
        if not self._comparison.bounds:
            return []
        best = self._comparison.best
        is_early = self._comparison.model.rounds[best] < MIN_ROUNDS
        return [best, *self._comparison.rivals(-1.0 if is_early else CERTAIN)[: max(count, 1)]]

    def _rounds(self, batch: Sequence[Candidate], until: float) -> None:
        """Measure a batch of candidates, then the recommended one beside half as many, and so on."""
        while len(batch := self._fitting(batch, until)) > 1:
            self._launch([Order(each, *self._size) for each in batch])
            batch = self._strongest(len(batch) // 2)

    def _fitting(self, queue: Sequence[Candidate], until: float) -> list[Candidate]:
        """Return the first of a queue, as many as one trial of each fits into the time."""
        left_s, count = self._left_s(until), 0
        while count < len(queue) and (left_s := left_s - self._seconds(queue[count])) > 0:
            count += 1
        return list(queue[:count])

    def _ceiling(self) -> None:
        """Measure the recommended candidate beside one process and copies, if time allows."""
        best, cpus = self._comparison.best, self.question.cpus
        workers = min(best.workers, cpus) if best.workers > 1 else cpus
        references = (Sequential.name, 1), (Copies.name, workers)
        task_s = (self._seconds(best) - self._untimed_s) / self._tasks
        round_s = self._left_s(CEILING_UNTIL) / CEILING_ROUNDS - 3 * self._untimed_s
        tasks = min(round_s / (task_s * (1 + workers) + self._task_s), self._tasks)
        if workers > 1 and tasks >= CEILING_TASKS * workers:
            together = [best, *(Candidate(*each, best.runtime_name) for each in references)]
            self._launch([Order(each, *self.question.sample(tasks), CEILING_ROUNDS) for each in together])

    def _long_run(self) -> None:
        """Measure the recommended candidate on as many images as fit; the rate depends on the images."""
        best = self._comparison.best
        task_s = (self._seconds(best) - self._untimed_s) / self._tasks
        images, augmentations = self.question.sample((LONG_RUN * self._left_s() - self._untimed_s) / task_s)
        if images * augmentations > self._tasks:
            self._launch([Order(best, images, augmentations)])
