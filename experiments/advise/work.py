"""The work that a search is about: its candidates, and the jobs that measure them on a sample of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from math import ceil
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
from experiments.analysis.engines import AS_STUDIED
from experiments.analysis.engines import Cell as Candidate
from experiments.inputs.sample import sizes
from experiments.measure import sweep
from experiments.measure.cell_files import input_files, results_folder
from experiments.plan.cell import Cell
from experiments.plan.command import command, text
from experiments.records import store

Job = dict[str, str]  # options and choices, as on the command line
SEARCHED = ("strategy", "workers", "runtime")
ANEW = {"output_dir": "null", "rerun": "true"}  # an answer is of one search
OUTPUT = "augmented"
FIRST_TO_MEASURE = (Dynamic.name, Threads.name, P2.name)  # where there is no time for all
MIN_IMAGES = 8


class Work:
    """All combinations of what may be recommended, jobs and cells in the same order."""

    def __init__(self, jobs: Sequence[Job], cells: Sequence[Cell], cpus: int) -> None:
        """Raises OptionError where no candidate can work, or where they differ in what is not searched."""
        _check_one_work(jobs)
        self.refused = _refused(cells)
        self._cpus, self._cells = cpus, {_candidate(cell): cell for cell in cells}
        self._jobs = dict(zip(self._cells, jobs, strict=True))
        self.candidates = sorted(
            (each for each in self._cells if each not in self.refused), key=self._priority
        )
        self.whole = self._cells[self.candidates[0]]
        self.config = self.whole.config
        self.files = input_files(self.whole)
        self.sizes = sizes(self.files)
        self._sample: Job = {}

    def _priority(self, each: Candidate) -> Any:
        """What is measured first: the faster runtime, about as many workers as CPUs, this suite's
        strategies."""
        known = each.strategy in FIRST_TO_MEASURE
        rank = FIRST_TO_MEASURE.index(each.strategy) if known else len(FIRST_TO_MEASURE)
        return each.runtime_name == AS_STUDIED, abs(each.workers - self._cpus), rank

    @property
    def references(self) -> list[Candidate]:
        """One process, and the ceiling, under the runtime that comes first."""
        runtime = self.candidates[0].runtime_name
        copies = [Candidate(Copies.name, self._cpus, runtime)] if self._cpus > 1 else []
        return [Candidate(Sequential.name, 1, runtime), *copies]

    def sample(self, images: int, augmentations: int) -> int:
        """From now on jobs do so many augmentations of so many images; returns how many tasks that are."""
        self._sample = {"sample": str(images), "n_augmentations": str(augmentations)}
        return images * augmentations

    def sample_of(self, tasks: float) -> int:
        """From now on jobs do about so many tasks; returns how many."""
        return self.sample(*sized(len(self.files), self.config.n_augmentations, tasks))

    def job(self, each: Candidate, repetitions: int = 1) -> Job:
        """The job of a candidate or reference on the sample, measured anew."""
        job = self._jobs.get(each) or self._reference(each)
        return job | ANEW | self._beside | self._sample | {"repetitions": str(repetitions)}

    def _reference(self, each: Candidate) -> Job:
        """What is no candidate, on the same work; options of a strategy are not its own."""
        job = {
            name: value for name, value in self._jobs[self.candidates[0]].items() if "strategy." not in name
        }
        return job | {"strategy": each.strategy, "workers": str(each.workers)}

    @cached_property
    def _beside(self) -> Job:
        """Trials write to the disk that the command will write to."""
        folder = Path(self._output).expanduser().resolve().parent
        is_here = is_local(location(self._output)) and self.config.scratch_dir is None
        return {"scratch_dir": text(str(folder))} if is_here else {}

    @cached_property
    def _output(self) -> str:
        """Where the command writes: not among its inputs."""
        inputs = {file.parent for file in self.files}
        free = (name for name in (OUTPUT, f"{OUTPUT}_again") if Path(name).resolve() not in inputs)
        return self.config.output_dir or next(free)

    def write_candidates(self, begin: datetime, left_out: dict[Candidate, str]) -> None:
        """Writes what is to be chosen from, with the command that each candidate stands for, and why some are
        not measured."""
        usable = sum(1 for pixels in self.sizes if pixels) or len(self.files)  # or nothing tells
        known: dict[str, Any] = {
            "sweep": token_hex(8),
            "started_at": begin,
            "experiment": self.whole.experiment,
            "files": usable,
            "pixels": sum(self.sizes),
            "tasks": usable * self.config.n_augmentations,
            "budget_s": self.config.advise.budget_s,
        }
        one = self.references[0]
        sequential = replace(self.whole.of_strategy(Sequential, 1), runtime=one.runtime_name)
        once = {"repetitions": 1, "rerun": True} | (
            {"output_dir": self._output} if self.config.saving else {}
        )
        rows = [
            known | each._asdict() | {"command": command(cell, **once), "left_out": left_out.get(each)}
            for each, cell in ({one: sequential} | self._cells).items()
        ]
        store.write_before(results_folder(self.whole), "candidates", rows)


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
