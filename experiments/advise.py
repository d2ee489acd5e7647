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
from pathlib import Path
from secrets import token_hex
from typing import Any

from augment.location import is_local, location
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
from experiments.plan.command import command, text
from experiments.records import store
from experiments.records.schema import OK
from experiments.report.output import write_report
from experiments.report.results import Results

Job = dict[str, str]  # options and choices, as on the command line
SEARCHED = ("strategy", "workers", "runtime")
ANEW = {"output_dir": "null", "rerun": "true"}  # an answer is of one search
OUTPUT = "augmented"
PILOTS = ((Sequential.name, 1), (P2.name, 2))
FIRST_TO_MEASURE = (Dynamic.name, Threads.name, P2.name)  # where there is no time for all
PILOT_IMAGES, PILOT_AUGMENTATIONS = 8, 6  # at most
PILOT, MEGAPIXEL_S = 0.05, 0.04  # of the budget at most, where a task takes so long for a megapixel
FIRST = 0.4  # of the budget: the first rounds
POLICIES_LAST, LONG_LAST = 0.14, 0.16  # kept for the policies and the long run
POLICIES, POLICY_ROUNDS = ("allocator", "reused"), 3
ROUNDS = 5  # of those that may be the best, at least: fewer tell badly what rounds differ by
AT_MOST = 4  # candidates that get more rounds
MIN_TASKS = 12  # of a trial, and two for each worker: with fewer the last one decides
MIN_IMAGES = 8
FEWER = 1.1  # times the fastest: where fewer workers may still be as fast
FEW = 8  # candidates that all are measured from the beginning
END_S = 3.0  # for the answer
NO_TIME = "advise.budget_s={:.0f} holds no rounds of it"
NO_ROUNDS = "advise.budget_s={:.0f} holds no {} rounds of these images; give advise.budget_s={}"
IF_FEWER_DO = "so few workers are tried where half as many as CPUs are as fast as the fastest"


class Search:
    """One search. `jobs` are all combinations of what may be recommended, each with its cell."""

    def __init__(self, jobs: Sequence[Job], cells: Sequence[Cell]) -> None:
        """Raises OptionError where no candidate can work, or where they differ in what is not searched."""
        self._begin, self._cpus, self._began_at = time.monotonic(), usable_cpus(), datetime.now(UTC)
        _check_one_work(jobs)
        self._refused = _refused(cells)
        self._cells = {_candidate(cell): cell for cell in cells}
        self._jobs = dict(zip(self._cells, jobs, strict=True))
        usable = [each for each in self._cells if each not in self._refused]
        self._usable = sorted(usable, key=self._priority)
        self._whole = self._cells[self._usable[0]]
        self._config = self._whole.config
        self._files = input_files(self._whole)
        self._sizes = sizes(self._files)
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
        if not (first := self._first()):
            return
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
        megapixels = sum(self._sizes) / len(self._sizes) / 1e6
        tasks = int(PILOT * self._config.advise.budget_s / (MEGAPIXEL_S * megapixels + 1e-9))
        images = min(PILOT_IMAGES, max(tasks, 2), len(self._files))
        augmentations = max(1, min(PILOT_AUGMENTATIONS, self._config.n_augmentations, tasks // images))
        self._sample = {"sample": str(images), "n_augmentations": str(augmentations)}
        one, two = (Candidate(name, n, self._usable[0].runtime_name) for name, n in PILOTS)
        return [self._reference(each) | {"saving": "true"} for each in (one, two)]

    def _first(self) -> list[Candidate]:
        """The candidates of the first rounds, and the sample that fits these into the budget; puts all
        down. None where nothing works or there is no time."""
        if not self._read_pilot():
            self._put_down(self._usable)
            return []
        few = len(self._usable) <= FEW
        asked = [each for each in self._usable if few or self._is_first(each)] or [*self._usable]
        repetitions = self._config.repetitions
        least = max(MIN_TASKS, 2 * max(each.workers for each in asked))
        seconds = FIRST * self._left_s() / repetitions
        while (tasks := self._tasks(seconds, [*self._references(), *asked])) < least and len(asked) > 2:
            asked.pop()
        measured, fewest = [*self._references(), *asked], 2 * max(each.workers for each in asked)
        tasks = max(tasks, min(least, self._tasks(self._left_s() / repetitions, measured)))
        self._sample = self._sized(tasks)
        if tasks < fewest:
            needed_s = repetitions * self._seconds(fewest, measured) / FIRST + self._spent_s() + END_S
            budget_s = self._config.advise.budget_s
            self._put_down([], NO_ROUNDS.format(budget_s, repetitions, ceil(needed_s / 30) * 30))
            return []
        self._put_down(asked)
        return asked

    def _is_first(self, each: Candidate) -> bool:
        """Whether it may win: from half as many workers as CPUs on, as the study ran with just as many."""
        counts = [1 / 2, 1] if each.runtime_name == AS_STUDIED else [1 / 2, inf]
        return counts[0] < each.workers / self._cpus <= counts[1]

    def _read_pilot(self) -> bool:
        """What a task takes; whether there was one that worked."""
        trials = self.results.trials
        trials = trials[trials["started_at"] >= self._began_at].sort_values("started_at")
        ok = trials[(trials["status"] == OK) & (trials["strategy"] == Sequential.name)]
        if ok.empty:
            return False
        self._task_s = float((ok["wall_s"] / ok["tasks"]).iloc[-1])
        self._overhead_s = float(trials["outside_s"].min())  # the first trial also looks into every image
        return True

    def _tasks(self, seconds: float, candidates: Sequence[Candidate]) -> float:
        """Of a sample of which these candidates take so many seconds, one trial each."""
        return (seconds - self._seconds(0, candidates)) / (self._task_s * sum(map(self._share, candidates)))

    def _seconds(self, tasks: float, candidates: Sequence[Candidate]) -> float:
        """What one trial of each candidate takes."""
        each_s = tasks * self._task_s
        return each_s * sum(map(self._share, candidates)) + len(candidates) * self._overhead_s

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
            again = [self._job(each, 1) for each in (*kept, *beside)]
            yield again + [self._job(each, repetitions) for each in new]

    def _left_s(self, kept: float = 0.0) -> float:
        """Seconds left of the budget, less a share of it that is kept for later."""
        budget_s = self._config.advise.budget_s
        return budget_s * (1 - kept) - END_S - self._spent_s()

    def _spent_s(self) -> float:
        return time.monotonic() - self._begin

    def _fewer(self, found: Measured) -> list[Candidate]:
        """The fastest strategy with half as many workers as the fewest that were measured, where those are
        about as fast as the fastest."""
        best = found.candidates[0]
        alike = sorted((each for each in self._jobs if each[::2] == best[::2]), key=lambda each: each.workers)
        tried = [each for each in alike if each in found.model.cells]
        if not tried or found.model.seconds(tried[0]) > FEWER * found.model.seconds(best):
            return []
        return [each for each in alike if each.workers < tried[0].workers][-1:]

    def _policies(self) -> Iterator[list[Job]]:
        """The best one as the study ran, and with one policy changed."""
        best = recommended(self._found())._replace(runtime_name=AS_STUDIED)
        trials = POLICY_ROUNDS * (1 + len(POLICIES))
        cost_s = trials * self._seconds(self._sampled(), [best])
        if best in self._jobs and cost_s < self._left_s(LONG_LAST):
            untouched = self._job(best, POLICY_ROUNDS)
            yield [untouched, *(untouched | {"ablation": name} for name in POLICIES)]

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
        """The job of a candidate or reference on the sample, measured anew."""
        job = self._jobs.get(each) or self._reference(each)
        return job | ANEW | self._beside | self._sample | {"repetitions": str(repetitions)}

    def _reference(self, each: Candidate) -> Job:
        """What is no candidate, on the same work; options of a strategy are not its own."""
        job = {name: value for name, value in self._jobs[self._usable[0]].items() if "strategy." not in name}
        job |= {"strategy": each.strategy, "workers": str(each.workers), "repetitions": "1"}
        return job | ANEW | self._beside | self._sample

    def _cost_s(self, found: Measured, batch: Sequence[Candidate]) -> float:
        """What one round of a batch takes."""
        one_s = self._sampled() * self._task_s
        known = found.model.cells
        seconds = (
            found.model.seconds(each) if each in known else one_s * self._share(each) for each in batch
        )
        return sum(seconds) + len(batch) * self._overhead_s

    def _put_down(self, asked: Sequence[Candidate], reason: str | None = None) -> None:
        """Writes what is to be chosen from, with the command that each stands for; where a reason is given,
        why nothing can be."""
        began = {"sweep": token_hex(8), "started_at": self._began_at, "experiment": self._whole.experiment}
        usable = sum(1 for pixels in self._sizes if pixels) or len(self._files)  # or nothing tells
        whole: dict[str, Any] = {
            "files": usable,
            "pixels": sum(self._sizes),
            "tasks": usable * self._config.n_augmentations,
            "budget_s": self._config.advise.budget_s,
        }
        rows = []
        for each in [*self._references()[:1], *self._cells]:
            cell = self._cells.get(each) or replace(
                self._whole.of_strategy(Sequential, 1), runtime=each.runtime_name
            )
            left_out = {"left_out": reason or self._left_out(each, asked)}
            once = {"repetitions": 1, "rerun": True} | (
                {"output_dir": self._output} if cell.config.saving else {}
            )
            rows.append(began | whole | each._asdict() | {"command": command(cell, **once)} | left_out)
        store.write_before(results_folder(self._whole), "candidates", rows)

    def _left_out(self, each: Candidate, asked: Sequence[Candidate]) -> str | None:
        """Why a candidate is not measured, at first; None for those that are."""
        if each in asked or each not in self._cells:
            return None
        no_time = NO_TIME.format(self._config.advise.budget_s)
        return self._refused.get(each) or (no_time if self._is_first(each) else IF_FEWER_DO)

    @property
    def _output(self) -> str:
        """Where the command writes: not among its inputs."""
        inputs = {file.parent for file in self._files}
        return self._config.output_dir or next(
            name for name in (OUTPUT, f"{OUTPUT}_again") if Path(name).resolve() not in inputs
        )

    @property
    def _beside(self) -> Job:
        """Trials write to the disk that the command will write to."""
        folder = Path(self._output).expanduser().resolve().parent
        is_here = is_local(location(self._output)) and self._config.scratch_dir is None
        return {"scratch_dir": text(str(folder))} if is_here else {}

    def answer(self) -> None:
        """Prints and writes what came of it."""
        try:
            write_report(self.results, names_files=False)
        except NoTrialsError as error:
            raise OptionError(str(error)) from error


def sized(files: int, augmentations: int, tasks: float) -> tuple[int, int]:
    """Images, and augmentations of each, of a sample of about so many tasks: the augmentations asked for
    where that leaves MIN_IMAGES, for an image is decoded once for all of them."""
    images = max(1, min(files, max(min(MIN_IMAGES, int(tasks)), round(tasks / augmentations))))
    return images, max(1, min(augmentations, ceil(tasks / images)))


def _check_one_work(jobs: Sequence[Job]) -> None:
    """Raises OptionError where jobs differ in more than what is searched."""
    for name in {name: None for job in jobs for name in job if name not in SEARCHED}:
        values = list(dict.fromkeys(job.get(name, "") for job in jobs))
        if len(values) > 1:
            searched = ", ".join(SEARCHED)
            raise OptionError(
                f"{name}={','.join(values)}: advise chooses {searched}; give one value of all else"
            )


def _candidate(cell: Cell) -> Candidate:
    return Candidate(cell.strategy, cell.config.workers, cell.runtime)


def _refused(cells: Sequence[Cell]) -> dict[Candidate, str]:
    """Why a candidate does not work with this pipeline, or at all. Raises OptionError where none does."""
    reasons = {_candidate(cell): reason for cell in cells if (reason := cell.not_applicable)}
    for name in dict.fromkeys(cell.runtime for cell in cells):
        alike = [cell for cell in cells if cell.runtime == name]
        try:
            sweep.check(alike, in_sweep=True)
        except OptionError as error:
            reasons |= {_candidate(cell): str(error) for cell in alike}
    if len(reasons) == len(cells):
        raise OptionError("; ".join(dict.fromkeys(reasons.values())))
    return reasons
