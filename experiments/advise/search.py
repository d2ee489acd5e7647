"""The search: what one batch of jobs has measured decides what the next one measures.

A pilot tells what a task takes, and the budget then how large a sample may be. All candidates are measured on
it in two rounds, beside one process and the ceiling; then those that may be the best, round after round; at
last the policies of the best one, and one long run of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Protocol

import pandas as pd

from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from experiments.advise.budget import Budget
from experiments.advise.work import Order, Question, sized
from experiments.analysis.candidates import ENOUGH, Measured, measured, recommended, survivors
from experiments.analysis.engines import AS_STUDIED
from experiments.analysis.engines import Cell as Candidate
from experiments.analysis.statistics import best_set
from experiments.store.columns import OK
from experiments.store.files import DetailReader

PILOTS = ((Sequential.name, 1), (P2.name, 2))
PILOT_IMAGES, PILOT_AUGMENTATIONS = 8, 6  # at most
PILOT, MEGAPIXEL_S = 0.05, 0.04  # of the budget at most, where a task takes so long for a megapixel
FIRST = 0.4  # of the budget: the first rounds
POLICIES_LAST, LONG_LAST = 0.14, 0.16  # kept for the policies and the long run
POLICIES, POLICY_ROUNDS = ("allocator", "reused"), 3
ROUNDS = 5  # of those that may be the best, at least: fewer tell badly what rounds differ by
AT_MOST = 4  # candidates that get more rounds
MIN_TASKS = 12  # of a trial, and two for each worker: with fewer the last one decides
FEWER = 1.1  # times the fastest: where fewer workers may still be as fast
FEW = 8  # candidates that all are measured from the beginning
NO_TIME = "advise.budget_s={:.0f} holds no rounds of it"
NO_ROUNDS = "advise.budget_s={:.0f} holds no {} rounds of these images; give advise.budget_s={}"
IF_FEWER_DO = "so few workers are tried where half as many as CPUs are as fast as the fastest"
MORE_THAN_CPUS = "more workers than CPUs are tried under the fastest runtime only"


class Found(Protocol):
    """What was measured until now, of the real machine or of a simulated one."""

    @property
    def trials(self) -> pd.DataFrame:
        """A row per trial."""

    @property
    def parts(self) -> DetailReader:
        """The tasks of each trial."""

    @property
    def candidates(self) -> pd.DataFrame:
        """What was asked for."""


Measure = Callable[[Sequence[Order]], Found]
Record = Callable[[datetime, Mapping[Candidate, str]], None]


class Search:
    """One search. It knows no more of the machine than what its orders come back with."""

    def __init__(
        self, question: Question, measure: Measure, record: Record, clock: Callable[[], float] = time.time
    ) -> None:
        """`measure` carries orders out and returns all results; `record` keeps when the search began and
        which candidates are not measured, and why; `clock` gives seconds since 1970."""
        self._question, self._measure, self._record = question, measure, record
        self._begin = datetime.fromtimestamp(clock(), UTC)
        self._budget = Budget(question.budget_s, question.cpus, clock)
        self._size = (1, 1)  # images and augmentations of the sample

    def run(self) -> None:
        """Measures the candidates, until the budget is spent or one is surely good enough."""
        self._results = self._measure(self._pilot())
        if not (first := self._first()):
            return
        repetitions = self._question.repetitions
        self._launch([self._order(each, repetitions) for each in (*self._question.references, *first)])
        if repetitions > 1 and self._found().candidates:
            self._more_rounds()
            self._policies()
            self._long_run()

    def _launch(self, orders: Sequence[Order]) -> None:
        self._results = self._measure(orders)

    def _order(self, each: Candidate, rounds: int = 1) -> Order:
        return Order(each, *self._size, rounds)

    @property
    def _trials(self) -> pd.DataFrame:
        """Those of this search."""
        trials = self._results.trials
        return trials[trials["started_at"] >= self._begin]

    def _pilot(self) -> list[Order]:
        """A few images: what a task takes, and whether workers make what one process makes."""
        question = self._question
        expected_s = MEGAPIXEL_S * sum(question.pixels) / len(question.pixels) / 1e6
        tasks = int(PILOT * question.budget_s / (expected_s + 1e-9))
        images = min(PILOT_IMAGES, max(tasks, 2), len(question.pixels))
        most = min(PILOT_AUGMENTATIONS, question.n_augmentations)
        size, runtime = (images, max(1, min(most, tasks // images))), question.candidates[0].runtime_name
        return [Order(Candidate(name, n, runtime), *size, is_pilot=True) for name, n in PILOTS]

    def _read_pilot(self) -> bool:
        """What a task takes; whether there was one that worked."""
        trials = self._trials.sort_values("started_at")
        ok = trials[(trials["status"] == OK) & (trials["strategy"] == Sequential.name)]
        if ok.empty:
            return False
        self._budget.task_s = float((ok["wall_s"] / ok["tasks"]).iloc[-1])
        self._budget.overhead_s = float(trials["outside_s"].min())  # the first one looks into every image
        return True

    def _first(self) -> list[Candidate]:
        """The candidates of the first rounds, and the sample that fits these into the budget; puts all
        down. None where nothing works or there is no time."""
        question, budget, repetitions = self._question, self._budget, self._question.repetitions
        candidates, references = question.candidates, question.references
        if not self._read_pilot():
            self._record(self._begin, question.refused)
            return []
        few = len(candidates) <= FEW
        asked = [each for each in candidates if few or self._is_first(each)] or [*candidates]
        least = max(MIN_TASKS, 2 * max(each.workers for each in asked))
        seconds = FIRST * budget.left_s() / repetitions
        while (tasks := budget.tasks(seconds, [*references, *asked])) < least and len(asked) > 2:
            asked.pop()
        together, fewest = [*references, *asked], 2 * max(each.workers for each in asked)
        tasks = max(tasks, min(least, budget.tasks(budget.left_s() / repetitions, together)))
        if tasks < fewest:
            needed_s = budget.needed_s(repetitions * budget.seconds(fewest, together) / FIRST)
            reason = NO_ROUNDS.format(question.budget_s, repetitions, needed_s)
            every = dict.fromkeys([*references, *candidates], reason)
            self._record(self._begin, {**question.refused, **every})
            return []
        self._size = self._sample_of(tasks)
        self._record(self._begin, self._left_out(asked))
        return asked

    def _sample_of(self, tasks: float) -> tuple[int, int]:
        return sized(len(self._question.pixels), self._question.n_augmentations, tasks)

    def _is_first(self, each: Candidate) -> bool:
        """Whether it may win: from half as many workers as CPUs on, as the study ran with just as many."""
        counts = [1 / 2, 1] if each.runtime_name == AS_STUDIED else [1 / 2, inf]
        return counts[0] < each.workers / self._question.cpus <= counts[1]

    def _left_out(self, asked: Sequence[Candidate]) -> dict[Candidate, str]:
        """Why the other candidates are not measured, at first."""
        others = (each for each in self._question.candidates if each not in asked)
        return {**self._question.refused, **{each: self._why_not(each) for each in others}}

    def _why_not(self, each: Candidate) -> str:
        if self._is_first(each):
            return NO_TIME.format(self._question.budget_s)
        return MORE_THAN_CPUS if each.workers > self._question.cpus else IF_FEWER_DO

    def _more_rounds(self) -> None:
        """Rounds of those that may be the best, until one is surely good enough or the time is up."""
        while True:
            found = self._found()
            kept = survivors(found, AT_MOST)
            rounds = found.model.rounds[kept[0]]
            bound = min(best_set(found.model, found.candidates).values())
            new, repetitions = self._fewer(found), self._question.repetitions
            again = [*kept, *(self._question.references[1:] if rounds < ROUNDS else [])]
            tasks = self._size[0] * self._size[1]
            cost_s, new_s = (self._budget.round_s(found, tasks, each) for each in (again, new))
            left_s = self._budget.left_s(POLICIES_LAST + LONG_LAST)
            if (bound < ENOUGH and rounds >= ROUNDS) or cost_s + repetitions * new_s > left_s:
                return
            anew = [self._order(each, repetitions) for each in new]
            self._launch([*(self._order(each) for each in again), *anew])

    def _fewer(self, found: Measured) -> list[Candidate]:
        """The fastest strategy with half as many workers as the fewest that were measured, where those are
        about as fast as the fastest."""
        best, candidates = found.candidates[0], self._question.candidates
        alike = sorted((each for each in candidates if each[::2] == best[::2]), key=lambda each: each.workers)
        tried = [each for each in alike if each in found.model.cells]
        if not tried or found.model.seconds(tried[0]) > FEWER * found.model.seconds(best):
            return []
        return [each for each in alike if each.workers < tried[0].workers][-1:]

    def _policies(self) -> None:
        """The best one as the study ran, and with one policy changed."""
        best, tasks = (
            recommended(self._found())._replace(runtime_name=AS_STUDIED),
            self._size[0] * self._size[1],
        )
        cost_s = POLICY_ROUNDS * (1 + len(POLICIES)) * self._budget.seconds(tasks, [best])
        if best in self._question.candidates and cost_s < self._budget.left_s(LONG_LAST):
            untouched = self._order(best, POLICY_ROUNDS)
            self._launch([untouched, *(untouched._replace(ablation=name) for name in POLICIES)])

    def _long_run(self) -> None:
        """The best one on as many images as there is time for: what its command will reach depends on
        them."""
        found = self._found()
        best = recommended(found)
        measured_tasks = float(found.of(best)["tasks"].iloc[0])
        seconds = 0.9 * self._budget.left_s() - self._budget.overhead_s
        size = self._sample_of(seconds * measured_tasks / found.model.seconds(best))
        if size[0] * size[1] > measured_tasks:
            self._launch([Order(best, *size)])

    def _found(self) -> Measured:
        return measured(self._trials, self._results.parts, self._results.candidates)
