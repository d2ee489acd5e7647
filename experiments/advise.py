"""The search for the best strategy, worker count and runtime within a budget of time: what one batch of jobs
has measured decides what the next one measures.

A pilot tells what a task takes, and the budget then how large a sample may be. All candidates are measured on
it in two rounds, beside one process and the ceiling; then those that may be the best, round after round; at
last the policies of the best one, and one long run of it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil, inf
from secrets import token_hex
from typing import Any

from augment.option import OptionError
from augment.strategies.dynamic import Dynamic
from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from augment.strategies.threads import Threads
from experiments.analysis.candidates import ENOUGH, Measured, measured, recommended, survivors
from experiments.analysis.engines import AS_STUDIED
from experiments.analysis.engines import Cell as Candidate
from experiments.analysis.scaling import NoTrialsError
from experiments.analysis.statistics import best_set
from experiments.host.environment import usable_cpus
from experiments.inputs.sample import sizes
from experiments.measure import sweep
from experiments.measure.cell_files import input_files, results_folder
from experiments.plan.cell import Cell
from experiments.plan.command import command
from experiments.records import store
from experiments.records.schema import OK
from experiments.report.output import write_report
from experiments.report.results import Results

Job = dict[str, str]  # options and choices, as on the command line
FIRST_TO_MEASURE = (Dynamic.name, Threads.name, P2.name)  # where there is no time for all
PILOT_IMAGES, PILOT_AUGMENTATIONS = 8, 6
FIRST = 0.4  # of the budget: the first rounds
POLICIES_LAST, LONG_LAST = 0.14, 0.16  # kept for the policies and the long run
POLICIES, POLICY_ROUNDS = ("allocator", "reused"), 3
ROUNDS = 5  # of those that may be the best, at least: fewer tell badly what rounds differ by
AT_MOST = 4  # candidates that get more rounds
MIN_TASKS = 12  # of a trial, and two for each worker: with fewer the last one decides
MIN_IMAGES = 8
FEWER = 1.1  # times the fastest: where fewer workers may still be as fast
END_S = 3.0  # for the answer
NO_TIME = "advise.budget_s={:.0f} holds no rounds of it"


class Search:
    """One search. `jobs` are all combinations of what may be recommended, each with its cell."""

    def __init__(self, jobs: Sequence[Job], cells: Sequence[Cell]) -> None:
        """Raises OptionError where no candidate can work."""
        self._begin, self._cpus = time.monotonic(), usable_cpus()
        self._refused = _refused(cells)
        self._cells = {_candidate(cell): cell for cell in cells}
        self._jobs = dict(zip(self._cells, jobs, strict=True))
        usable = [each for each in self._cells if each.runtime_name not in self._refused]
        self._usable = sorted(usable, key=self._priority)
        self._whole = self._cells[self._usable[0]]
        self._config = self._whole.config
        self._files = input_files(self._whole)
        self._task_s = self._overhead_s = 0.0  # of one process, and of a trial beside its timed region
        self._sample: Job = {}

    @property
    def results(self) -> Results:
        """What is on disk now."""
        return Results(results_folder(self._whole), self._whole.experiment)

    def batches(self) -> Iterator[list[Job]]:
        """Jobs to launch, batch after batch; the results of each have to be on disk when the next is asked
        for."""
        yield self._pilot()
        first = self._first()
        repetitions = self._config.repetitions
        yield [self._job(each, repetitions) for each in (*self._references(), *first)]
        if repetitions > 1 and self._found().candidates:
            yield from self._more_rounds()
            yield from self._policies()
            yield from self._long_run()

    def _priority(self, each: Candidate) -> Any:
        """What is measured first: the faster runtime, about as many workers as CPUs, this suite's
        strategies."""
        rank = FIRST_TO_MEASURE.index(each.strategy) if each.strategy in FIRST_TO_MEASURE else AT_MOST
        return each.runtime_name == AS_STUDIED, abs(each.workers - self._cpus), rank

    def _pilot(self) -> list[Job]:
        """A few images: what a task takes, and whether workers make what one process makes."""
        augmentations = min(PILOT_AUGMENTATIONS, self._config.n_augmentations)
        small = {"sample": PILOT_IMAGES, "n_augmentations": augmentations, "saving": "true", "repetitions": 1}
        base = self._jobs[self._usable[0]] | {name: str(value) for name, value in small.items()}
        base |= {"output_dir": "null"}
        one, two = ({"strategy": name, "workers": str(n)} for name, n in ((Sequential.name, 1), (P2.name, 2)))
        return [base | one, base | two]

    def _first(self) -> list[Candidate]:
        """The candidates of the first rounds, and the sample that fits these into the budget; puts all
        down."""
        self._read_pilot()
        asked = [each for each in self._usable if self._is_first(each)] or [*self._usable]
        least = max(MIN_TASKS, 2 * max(each.workers for each in asked))
        seconds = FIRST * self._left_s() / self._config.repetitions
        while (tasks := self._tasks(seconds, [*self._references(), *asked])) < least and len(asked) > 2:
            asked.pop()
        self._sample = self._sized(max(tasks, least))
        self._put_down(asked)
        return asked

    def _is_first(self, each: Candidate) -> bool:
        """Whether it may win: from half as many workers as CPUs on, as the study ran with just as many."""
        counts = [1 / 2, 1] if each.runtime_name == AS_STUDIED else [1 / 2, inf]
        return counts[0] < each.workers / self._cpus <= counts[1]

    def _read_pilot(self) -> None:
        """Raises OptionError where the pilot failed."""
        trials = self.results.trials.sort_values("started_at")
        ok = trials[(trials["status"] == OK) & (trials["strategy"] == Sequential.name)]
        ok = ok[ok["files"] <= PILOT_IMAGES]
        if ok.empty:
            raise OptionError(f"nothing can be measured: {trials['error'].dropna().iloc[-1]}")
        self._task_s = float((ok["wall_s"] / ok["tasks"]).iloc[-1])
        self._overhead_s = float(trials["outside_s"].min())  # the first trial also looks into every image

    def _tasks(self, seconds: float, candidates: Sequence[Candidate]) -> float:
        """Of a sample of which these candidates take so many seconds, one trial each."""
        return (seconds - len(candidates) * self._overhead_s) / (
            self._task_s * sum(map(self._share, candidates))
        )

    def _sized(self, tasks: float) -> Job:
        images, augmentations = sized(len(self._files), self._config.n_augmentations, tasks)
        return {"sample": str(images), "n_augmentations": str(augmentations)}

    def _share(self, each: Candidate) -> float:
        """Of one process's seconds that a trial takes."""
        return 1.0 if each.strategy == Copies.name else 1 / min(each.workers, self._cpus)

    def _references(self) -> list[Candidate]:
        """One process, and the ceiling, under the runtime that comes first."""
        runtime = self._usable[0].runtime_name
        copies = [Candidate(Copies.name, self._cpus, runtime)] if self._cpus > 1 else []
        return [Candidate(Sequential.name, 1, runtime), *copies]

    def _more_rounds(self) -> Iterator[list[Job]]:
        """Rounds of those that may be the best, until one is surely good enough or the time is up."""
        while True:
            found = self._found()
            kept = survivors(found, AT_MOST)
            rounds = found.model.rounds[kept[0]]
            bound = min(best_set(found.model, found.candidates).values())
            new, repetitions = self._fewer(found), self._config.repetitions
            beside = self._references()[1:] if rounds < ROUNDS else []
            cost_s = self._cost_s(found, [*kept, *beside]) + repetitions * self._cost_s(found, new)
            if (bound < ENOUGH and rounds >= ROUNDS) or cost_s > self._left_s(POLICIES_LAST + LONG_LAST):
                return
            again = [self._job(each, self._next(found, each)) for each in (*kept, *beside)]
            yield again + [self._job(each, repetitions) for each in new]

    def _next(self, found: Measured, each: Candidate) -> int:
        """The repetitions to ask for, to get one more."""
        return 1 if self._config.rerun else found.model.rounds.get(each, 0) + 1

    def _left_s(self, kept: float = 0.0) -> float:
        """Seconds left of the budget, less a share of it that is kept for later."""
        budget_s = self._config.advise.budget_s
        return budget_s * (1 - kept) - END_S - (time.monotonic() - self._begin)

    def _fewer(self, found: Measured) -> list[Candidate]:
        """The fastest strategy with half as many workers as the fewest that were measured, where those are
        about as fast as the fastest."""
        best = found.candidates[0]
        alike = [each for each in self._jobs if each[::2] == best[::2]]
        fewest = min((each for each in alike if each in found.model.cells), key=lambda each: each.workers)
        if found.model.seconds(fewest) > FEWER * found.model.seconds(best):
            return []
        return sorted(
            (each for each in alike if each.workers < fewest.workers), key=lambda each: each.workers
        )[-1:]

    def _policies(self) -> Iterator[list[Job]]:
        """The best one as the study ran, and with one policy changed."""
        best = recommended(self._found())._replace(runtime_name=AS_STUDIED)
        trials = POLICY_ROUNDS * (1 + len(POLICIES))
        if best in self._jobs and trials * (
            self._sampled() * self._task_s * self._share(best) + self._overhead_s
        ) < self._left_s(LONG_LAST):
            untouched = self._job(best, POLICY_ROUNDS + self._config.repetitions)
            yield [untouched, *(self._job(best, POLICY_ROUNDS) | {"ablation": name} for name in POLICIES)]

    def _long_run(self) -> Iterator[list[Job]]:
        """The best one on as many images as there is time for: what its command will reach depends on
        them."""
        found = self._found()
        best = recommended(found)
        measured_tasks = float(found.of(best)["tasks"].iloc[0])
        seconds = 0.9 * self._left_s() - self._overhead_s
        self._sample = self._sized(seconds * measured_tasks / found.model.seconds(best))
        if self._sampled() > measured_tasks:
            yield [self._job(best, 1)]

    def _sampled(self) -> int:
        """Tasks of the sample."""
        return int(self._sample["sample"]) * int(self._sample["n_augmentations"])

    def _found(self) -> Measured:
        results = self.results
        return measured(results.trials, results.parts, results.candidates)

    def _job(self, each: Candidate, repetitions: int) -> Job:
        """The job of a candidate or reference on the sample."""
        reference = {"strategy": each.strategy, "workers": str(each.workers)}
        job = self._jobs.get(each) or self._jobs[self._usable[0]] | reference
        return job | {"output_dir": "null"} | self._sample | {"repetitions": str(repetitions)}

    def _cost_s(self, found: Measured, batch: Sequence[Candidate]) -> float:
        """What one round of a batch takes."""
        one_s = self._sampled() * self._task_s
        known = found.model.cells
        seconds = (
            found.model.seconds(each) if each in known else one_s * self._share(each) for each in batch
        )
        return sum(seconds) + len(batch) * self._overhead_s

    def _put_down(self, asked: Sequence[Candidate]) -> None:
        """Writes what is to be chosen from, with the command that each stands for."""
        began = {"sweep": token_hex(8), "started_at": datetime.now(UTC), "experiment": self._whole.experiment}
        whole: dict[str, Any] = {
            "files": len(self._files),
            "pixels": sum(sizes(self._files)),
            "tasks": len(self._files) * self._config.n_augmentations,
            "budget_s": self._config.advise.budget_s,
        }
        output = {"output_dir": self._config.output_dir or "augmented"} if self._config.saving else {}
        left = [each for each in self._cells if self._is_first(each) and each not in asked]
        rows = []
        for each in [*self._references()[:1], *self._cells]:
            left_out = self._refused.get(each.runtime_name)
            if left_out is None and each in left:
                left_out = NO_TIME.format(self._config.advise.budget_s)
            cell = self._cells.get(each) or replace(
                self._whole.of_strategy(Sequential, 1), runtime=each.runtime_name
            )
            rows.append(
                began | whole | each._asdict() | {"command": command(cell, **output), "left_out": left_out}
            )
        store.write_before(results_folder(self._whole), "candidates", rows)

    def answer(self) -> None:
        """Prints and writes what came of it."""
        try:
            write_report(self.results, names_files=False)
        except NoTrialsError as error:
            raise OptionError(str(error)) from error


def sized(files: int, augmentations: int, tasks: float) -> tuple[int, int]:
    """Images, and augmentations of each, of a sample of about so many tasks: the augmentations asked for
    where that leaves MIN_IMAGES, for an image is decoded once for all of them."""
    images = min(files, max(MIN_IMAGES, round(tasks / augmentations)))
    return images, max(1, min(augmentations, ceil(tasks / images)))


def _candidate(cell: Cell) -> Candidate:
    return Candidate(cell.strategy, cell.config.workers, cell.runtime)


def _refused(cells: Sequence[Cell]) -> dict[str, str]:
    """Why a runtime does not work with this pipeline, by its name. Raises OptionError where none does."""
    reasons: dict[str, str] = {}
    names = list(dict.fromkeys(cell.runtime for cell in cells))
    for name in names:
        try:
            sweep.check([cell for cell in cells if cell.runtime == name], in_sweep=True)
        except OptionError as error:
            reasons[name] = str(error)
            if len(reasons) == len(names):
                raise
    return reasons
