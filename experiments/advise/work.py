"""The work that a search is about: its candidates, and the jobs that measure them on a sample of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from math import ceil
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from augment.filesystem import is_local, location
from augment.options import OptionError
from augment.strategies.dynamic import Dynamic
from augment.strategies.instruments.copies import Copies
from augment.strategies.pool import P2
from augment.strategies.sequential import Sequential
from augment.strategies.threads import Threads
from experiments.analysis.engines import AS_STUDIED
from experiments.analysis.engines import Cell as Candidate
from experiments.analysis.scaling import NoTrialsError
from experiments.config.cell import Cell
from experiments.config.command import command, replaced, text
from experiments.report.output import write_report
from experiments.report.results import Results
from experiments.store import files as store
from experiments.store.columns import UNTOUCHED
from experiments.sweep.inputs import Inventory, pixel_counts
from experiments.sweep.sweep import check_options

Job = dict[str, str]  # options and choices, as on the command line


@dataclass(frozen=True)
class Question:
    """The images, the machine and the budget of a search, and the candidates, the first to try first."""

    candidates: Sequence[Candidate]
    refused: Mapping[Candidate, str]  # those that cannot work, with the reason
    pixels: Sequence[int]  # of each image of the whole
    n_augmentations: int
    cpus: int
    budget_s: float
    repetitions: int

    @property
    def references(self) -> list[Candidate]:
        """Return one process, and the ceiling, under the runtime that comes first."""
        runtime = self.candidates[0].runtime_name
        copies = [Candidate(Copies.name, self.cpus, runtime)] if self.cpus > 1 else []
        return [Candidate(Sequential.name, 1, runtime), *copies]


class Order(NamedTuple):
    """Trials of a candidate or reference, one a round, on a sample of the images."""

    candidate: Candidate
    images: int
    augmentations: int
    rounds: int = 1
    ablation: str = UNTOUCHED
    is_pilot: bool = False  # saves, whatever is asked for, so that outputs can be compared


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
        self._cells = {_candidate(cell): cell for cell in cells}
        self._jobs = dict(zip(self._cells, jobs, strict=True))
        refused = _refused(cells)
        candidates = sorted(
            (each for each in self._cells if each not in refused), key=lambda each: _priority(each, cpus)
        )
        self._whole = self._cells[candidates[0]]
        self._config = self._whole.config
        self._files = Inventory().inputs(self._config).files
        self.question = Question(
            candidates=candidates,
            refused=refused,
            pixels=pixel_counts(self._files),
            n_augmentations=self._config.n_augmentations,
            cpus=cpus,
            budget_s=self._config.advise.budget_s,
            repetitions=self._config.repetitions,
        )

    @property
    def results(self) -> Results:
        """What is on disk now."""
        return Results(self._config.results_folder, self._whole.experiment)

    def answer(self) -> None:
        """Prints and writes what came of the search. Raises OptionError where nothing was measured."""
        try:
            write_report(self.results, names_files=False)
        except NoTrialsError as error:
            raise OptionError(str(error)) from error

    def job(self, order: Order) -> Job:
        """The job that carries out an order, measured anew."""
        job = self._jobs.get(order.candidate) or self._reference(order.candidate)
        sample = {"sample": str(order.images), "n_augmentations": str(order.augmentations)}
        job = job | ANEW | self._beside | sample | {"repetitions": str(order.rounds)}
        job |= {} if order.ablation == UNTOUCHED else {"ablation": order.ablation}
        return job | ({"saving": "true"} if order.is_pilot else {})

    def _reference(self, each: Candidate) -> Job:
        """What is no candidate, on the same work; options of a strategy are not its own."""
        first = self._jobs[self.question.candidates[0]]
        job = {name: value for name, value in first.items() if "strategy." not in name}
        return job | {"strategy": each.strategy, "workers": str(each.workers)}

    @cached_property
    def _beside(self) -> Job:
        """Trials write to the disk that the command will write to."""
        folder = Path(self._output).expanduser().resolve().parent
        is_here = is_local(location(self._output)) and self._config.scratch_dir is None
        return {"scratch_dir": text(str(folder))} if is_here else {}

    @cached_property
    def _output(self) -> str:
        """Where the command writes: not among its inputs."""
        inputs = {file.parent for file in self._files}
        free = (name for name in (OUTPUT, f"{OUTPUT}_again") if Path(name).resolve() not in inputs)
        return self._config.output_dir or next(free)

    def write_candidates(self, begin: datetime, left_out: Mapping[Candidate, str]) -> None:
        """Writes what is to be chosen from, with the command that each candidate stands for, and why some are
        not measured."""
        pixels = self.question.pixels
        usable = sum(1 for each in pixels if each) or len(self._files)  # or nothing tells
        known: dict[str, Any] = {
            "sweep": token_hex(8),
            "started_at": begin,
            "experiment": self._whole.experiment,
            "files": usable,
            "pixels": sum(pixels),
            "tasks": usable * self._config.n_augmentations,
            "budget_s": self._config.advise.budget_s,
        }
        one = self.question.references[0]
        sequential = replace(self._whole.of_strategy(Sequential, 1), runtime=one.runtime_name)
        once = {"repetitions": 1, "rerun": True} | (
            {"output_dir": self._output} if self._config.saving else {}
        )
        rows = [
            known | each._asdict() | {"command": _command(cell, **once), "left_out": left_out.get(each)}
            for each, cell in ({one: sequential} | self._cells).items()
        ]
        store.write_before(self._config.results_folder, "candidates", rows)


def sized(files: int, augmentations: int, tasks: float) -> tuple[int, int]:
    """Images, and augmentations of each, of a sample of about so many tasks: the augmentations asked for
    where that leaves MIN_IMAGES, for an image is decoded once for all of them."""
    images = max(1, min(files, max(min(MIN_IMAGES, int(tasks)), round(tasks / augmentations))))
    return images, max(1, min(augmentations, ceil(tasks / images)))


def _priority(each: Candidate, cpus: int) -> Any:
    """What is measured first: the faster runtime, about as many workers as CPUs, this suite's strategies."""
    known = each.strategy in FIRST_TO_MEASURE
    rank = FIRST_TO_MEASURE.index(each.strategy) if known else len(FIRST_TO_MEASURE)
    return each.runtime_name == AS_STUDIED, abs(each.workers - cpus), rank


def _command(cell: Cell, **options: Any) -> str:
    """Return the command of a candidate for the whole work, which searches no more."""
    words = [word for word in cell.words if not word.startswith(("experiment=", "advise."))]
    return command(replaced(words, **options))


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
            check_options(alike, Inventory())
        except OptionError as error:
            reasons |= {_candidate(cell): str(error) for cell in alike}
    if len(reasons) == len(cells):
        raise OptionError("; ".join(dict.fromkeys(reasons.values())))
    return reasons
