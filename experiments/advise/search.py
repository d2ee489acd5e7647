"""The search: what one batch of jobs has measured decides what the next one measures.

A pilot tells what a task takes, and the budget then how large a sample may be. All candidates are measured on
it in two rounds, beside one process and the ceiling; then those that may be the best, round after round; at
last the policies of the best one, and one long run of it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import inf

from augment.option import OptionError
from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from experiments.advise.budget import Budget
from experiments.advise.work import Job, Work
from experiments.analysis.candidates import ENOUGH, Measured, measured, recommended, survivors
from experiments.analysis.engines import AS_STUDIED
from experiments.analysis.engines import Cell as Candidate
from experiments.analysis.scaling import NoTrialsError
from experiments.analysis.statistics import best_set
from experiments.host.environment import usable_cpus
from experiments.measure.cell_files import results_folder
from experiments.plan.cell import Cell
from experiments.records.schema import OK
from experiments.report.output import write_report
from experiments.report.results import Results

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


class Search:
    """One search. `jobs` are all combinations of what may be recommended, each with its cell."""

    def __init__(self, jobs: Sequence[Job], cells: Sequence[Cell]) -> None:
        """Raises OptionError where no candidate can work, or where they differ in what is not searched."""
        self._cpus, self._begin = usable_cpus(), datetime.now(UTC)
        self._budget = Budget(cells[0].config.advise.budget_s, self._cpus)
        self._work = Work(jobs, cells, self._cpus)
        self._config, self._tasks = self._work.config, 0  # tasks of the sample

    @property
    def results(self) -> Results:
        """What is on disk now."""
        return Results(results_folder(self._work.whole), self._work.whole.experiment)

    def batches(self) -> Iterator[list[Job]]:
        """Jobs to launch, batch after batch; the results of each have to be on disk when the next is asked
        for."""
        yield self._pilot()
        if not (first := self._first()):
            return
        repetitions = self._config.repetitions
        yield [self._work.job(each, repetitions) for each in (*self._work.references, *first)]
        if repetitions > 1 and self._found().candidates:
            yield from self._more_rounds()
            yield from self._policies()
            yield from self._long_run()

    def answer(self) -> None:
        """Prints and writes what came of it."""
        try:
            write_report(self.results, names_files=False)
        except NoTrialsError as error:
            raise OptionError(str(error)) from error

    def _pilot(self) -> list[Job]:
        """A few images: what a task takes, and whether workers make what one process makes."""
        sizes = self._work.sizes
        expected_s = MEGAPIXEL_S * sum(sizes) / len(sizes) / 1e6
        tasks = int(PILOT * self._config.advise.budget_s / (expected_s + 1e-9))
        images = min(PILOT_IMAGES, max(tasks, 2), len(sizes))
        most = min(PILOT_AUGMENTATIONS, self._config.n_augmentations)
        self._work.sample(images, max(1, min(most, tasks // images)))
        runtime = self._work.candidates[0].runtime_name
        return [self._work.job(Candidate(name, n, runtime)) | {"saving": "true"} for name, n in PILOTS]

    def _read_pilot(self) -> bool:
        """What a task takes; whether there was one that worked."""
        trials = self.results.trials
        trials = trials[trials["started_at"] >= self._begin].sort_values("started_at")
        ok = trials[(trials["status"] == OK) & (trials["strategy"] == Sequential.name)]
        if ok.empty:
            return False
        self._budget.task_s = float((ok["wall_s"] / ok["tasks"]).iloc[-1])
        self._budget.overhead_s = float(trials["outside_s"].min())  # the first one looks into every image
        return True

    def _first(self) -> list[Candidate]:
        """The candidates of the first rounds, and the sample that fits these into the budget; puts all
        down. None where nothing works or there is no time."""
        work, budget, repetitions = self._work, self._budget, self._config.repetitions
        if not self._read_pilot():
            work.write_candidates(self._begin, work.refused)
            return []
        few = len(work.candidates) <= FEW
        asked = [each for each in work.candidates if few or self._is_first(each)] or [*work.candidates]
        least = max(MIN_TASKS, 2 * max(each.workers for each in asked))
        seconds = FIRST * budget.left_s() / repetitions
        while (tasks := budget.tasks(seconds, [*work.references, *asked])) < least and len(asked) > 2:
            asked.pop()
        together, fewest = [*work.references, *asked], 2 * max(each.workers for each in asked)
        tasks = max(tasks, min(least, budget.tasks(budget.left_s() / repetitions, together)))
        if tasks < fewest:
            needed_s = budget.needed_s(repetitions * budget.seconds(fewest, together) / FIRST)
            reason = NO_ROUNDS.format(self._config.advise.budget_s, repetitions, needed_s)
            every = dict.fromkeys([*work.references, *work.candidates], reason)
            work.write_candidates(self._begin, work.refused | every)
            return []
        self._tasks = work.sample_of(tasks)
        work.write_candidates(self._begin, self._left_out(asked))
        return asked

    def _is_first(self, each: Candidate) -> bool:
        """Whether it may win: from half as many workers as CPUs on, as the study ran with just as many."""
        counts = [1 / 2, 1] if each.runtime_name == AS_STUDIED else [1 / 2, inf]
        return counts[0] < each.workers / self._cpus <= counts[1]

    def _left_out(self, asked: Sequence[Candidate]) -> dict[Candidate, str]:
        """Why the other candidates are not measured, at first."""
        others = (each for each in self._work.candidates if each not in asked)
        return self._work.refused | {each: self._why_not(each) for each in others}

    def _why_not(self, each: Candidate) -> str:
        if self._is_first(each):
            return NO_TIME.format(self._config.advise.budget_s)
        return MORE_THAN_CPUS if each.workers > self._cpus else IF_FEWER_DO

    def _more_rounds(self) -> Iterator[list[Job]]:
        """Rounds of those that may be the best, until one is surely good enough or the time is up."""
        while True:
            found = self._found()
            kept = survivors(found, AT_MOST)
            rounds = found.model.rounds[kept[0]]
            bound = min(best_set(found.model, found.candidates).values())
            new, repetitions = self._fewer(found), self._config.repetitions
            again = [*kept, *(self._work.references[1:] if rounds < ROUNDS else [])]
            cost_s, new_s = (self._budget.round_s(found, self._tasks, each) for each in (again, new))
            left_s = self._budget.left_s(POLICIES_LAST + LONG_LAST)
            if (bound < ENOUGH and rounds >= ROUNDS) or cost_s + repetitions * new_s > left_s:
                return
            yield [self._work.job(each) for each in again] + [
                self._work.job(each, repetitions) for each in new
            ]

    def _fewer(self, found: Measured) -> list[Candidate]:
        """The fastest strategy with half as many workers as the fewest that were measured, where those are
        about as fast as the fastest."""
        best, candidates = found.candidates[0], self._work.candidates
        alike = sorted((each for each in candidates if each[::2] == best[::2]), key=lambda each: each.workers)
        tried = [each for each in alike if each in found.model.cells]
        if not tried or found.model.seconds(tried[0]) > FEWER * found.model.seconds(best):
            return []
        return [each for each in alike if each.workers < tried[0].workers][-1:]

    def _policies(self) -> Iterator[list[Job]]:
        """The best one as the study ran, and with one policy changed."""
        best = recommended(self._found())._replace(runtime_name=AS_STUDIED)
        cost_s = POLICY_ROUNDS * (1 + len(POLICIES)) * self._budget.seconds(self._tasks, [best])
        if best in self._work.candidates and cost_s < self._budget.left_s(LONG_LAST):
            untouched = self._work.job(best, POLICY_ROUNDS)
            yield [untouched, *(untouched | {"ablation": name} for name in POLICIES)]

    def _long_run(self) -> Iterator[list[Job]]:
        """The best one on as many images as there is time for: what its command will reach depends on
        them."""
        found = self._found()
        best = recommended(found)
        measured_tasks = float(found.of(best)["tasks"].iloc[0])
        seconds = 0.9 * self._budget.left_s() - self._budget.overhead_s
        if self._work.sample_of(seconds * measured_tasks / found.model.seconds(best)) > measured_tasks:
            yield [self._work.job(best)]

    def _found(self) -> Measured:
        results = self.results
        return measured(results.trials, results.parts, results.candidates)
