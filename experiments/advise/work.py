"""`experiment=advise` on this machine: the candidates of a search, the jobs that measure them, its answer."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cached_property
from math import ceil
from pathlib import Path
from secrets import token_hex
from typing import Any

from augment.filesystem import is_local, location
from augment.options import OptionError, determining
from augment.strategies.sequential import Sequential
from augment.temporary import locked
from experiments.advise.search import Order, Question, Search
from experiments.analysis.candidates import AXES, Candidate, Comparison, compare
from experiments.analysis.select import NoTrialsError
from experiments.config.cell import Cell, CellFailedError, command, replaced, without
from experiments.machine.environment import usable_cpus
from experiments.report.results import Results
from experiments.report.sections import write_report
from experiments.store import files as store
from experiments.store.columns import OF_OUTPUTS
from experiments.sweep.inputs import Inventory, inputs_of
from experiments.sweep.output_folder import OutputFolder
from experiments.sweep.sweep import check_options, checked_pipelines
from experiments.trial.measure import workload

Words = Sequence[str]  # of a command line


def advise(
    jobs: Sequence[Words],
    cells: Sequence[Cell],
    launch: Callable[[Sequence[Words]], None],
    inventory: Inventory,
    startup_s: float,
) -> None:
    """Search among jobs, which `launch` measures, and print and write the answer. Raises OptionError.

    `startup_s` are the seconds from the start of this command until now, with all its imports. Its command
    takes about as long until its trial begins, because the trial's process imports, too.
    """
    begin_s = time.monotonic()
    work = Work(jobs, cells, inventory)
    with _only_search(cells[0].config.results_folder):
        work.write_candidates(startup_s)
        _answer(work, launch, begin_s)


def _answer(work: "Work", launch: Callable[[Sequence[Words]], None], begin_s: float) -> None:
    """Search, and print and write the answer."""

    def measure(orders: Sequence[Order]) -> Comparison:
        launch([work.words(order) for order in orders])
        results = work.results
        return compare(results.trials, results.parts, results.candidates)

    output = location(work.output)
    is_new = is_local(output) and not output.exists()
    try:
        Search(work.question, measure, lambda: time.monotonic() - begin_s).run()
        if not write_report(work.results, names_files=False):
            raise CellFailedError("there is no answer; the line above says why")
    except (NoTrialsError, OSError) as error:
        raise OptionError(str(error)) from error
    finally:
        if is_new:
            with suppress(OSError):  # no trial needed it, or somebody has put a file there
                output.rmdir()


@contextmanager
def _only_search(results: Path) -> Iterator[None]:
    """Hold the results against a second search, which would be taken for the newest. Raises OptionError."""
    folder = results / "candidates"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder, wait=False):
            yield
    except BlockingIOError as error:
        raise OptionError(f"results_dir={results}: another search runs; give another folder") from error


class Work:
    """The question of a search, and the jobs that its orders become."""

    def __init__(self, jobs: Sequence[Words], cells: Sequence[Cell], inventory: Inventory) -> None:
        """Raise OptionError if no candidate can work, or if jobs differ in what is not searched."""
        _check_one_work(jobs)
        self._jobs = dict(zip(map(_candidate, cells), jobs, strict=True))
        self._refused, cpus = _refused(cells), usable_cpus()
        self._first = next(cell for cell in cells if _candidate(cell) not in self._refused)
        one = self._first.of_strategy(Sequential, 1)
        self._cells = {_candidate(cell): cell for cell in (one, *cells)}
        runtimes = [cell.runtime for cell in cells]
        candidates = sorted(
            (each for each in self._cells if each not in self._refused),
            key=lambda each: (runtimes.index(each.runtime_name), abs(each.workers - cpus)),
        )
        config = self._first.config
        self._inputs = inputs = inputs_of(config, inventory)
        n_images = len(inputs.files)
        pixels = inputs.pixels(exact=False, most=config.max_image_pixels)[1] / n_images
        self._tasks = workload(self._first, inputs.files).n_tasks
        each = ceil(self._tasks / n_images)
        self.question = Question(candidates, n_images, pixels, each, cpus, config.advise.budget_s)
        if config.saving:
            self._check_output()

    def _check_output(self) -> None:
        """Raise OptionError if the folder of the outputs holds those of other work."""
        config = self._first.config
        known = {name: value for name, value in determining(config).items() if name in OF_OUTPUTS}
        work = replace(workload(self._first, self._inputs.files), output=location(self.output))
        folder = OutputFolder(self.output, work, known | {"files": self.question.n_images}, "")
        folder.check(config.overwrite)
        folder.release()

    @property
    def results(self) -> Results:
        """Return the results that are on disk now."""
        return Results(self._first.config.results_folder, self._first.experiment)

    def words(self, order: Order) -> list[str]:
        """Return the job that carries out an order, measured anew, on the disk that the command writes to."""
        words = self._jobs.get(order.candidate)
        if words is None:  # a reference, to which the options of another strategy mean nothing
            words = without(self._jobs[_candidate(self._first)], "strategy.")
            words = replaced(words, **dict(zip(AXES, order.candidate, strict=True)))
        options: dict[str, Any] = {"saving": True} if order.is_pilot else {}
        output = location(self.output)
        if is_local(output) and self._first.config.scratch_dir is None:
            options["scratch_dir"] = str(output)  # nothing is written beside it
        counts = {"sample": order.images, "n_augmentations": order.augmentations, "repetitions": order.rounds}
        return replaced(words, **counts, outputs_total=None, output_dir=None, rerun=True, **options)

    @cached_property
    def output(self) -> str:
        """Return the folder that the command writes to. Raises OptionError if it lies among the inputs."""
        output = self._first.config.output_dir or "augmented"
        if self._inputs.has_images_in(location(output)):
            raise OptionError(f"output_dir={output}: holds the inputs; give another folder")
        return output

    def write_candidates(self, startup_s: float) -> None:
        """Write what is to be chosen from, with the command of each candidate, or why it cannot work."""
        n_images, config = self.question.n_images, self._first.config
        known: dict[str, Any] = {"sweep": token_hex(8), "started_at": datetime.now(UTC)}
        known |= {"experiment": self._first.experiment, "startup_s": startup_s}
        known |= asdict(config.advise) | {"files": n_images, "tasks": self._tasks}
        output = {"output_dir": self.output} if config.saving else {"repetitions": 1, "rerun": True}
        given_for_search = ("experiment=", "advise.", "repetitions=", "rerun=")
        rows = []
        for each, cell in self._cells.items():
            words = replaced(without(cell.words, *given_for_search), **output)
            row = each._asdict() | {"command": command(words)}
            rows.append(known | row | {"left_out": self._refused.get(each)})
        store.write_candidates(config.results_folder, rows)


def _check_one_work(jobs: Sequence[Words]) -> None:
    """Raise OptionError if jobs differ in more than what is searched."""
    values: dict[str, dict[str, None]] = {}
    for name, _, value in (word.partition("=") for words in jobs for word in words):
        values.setdefault(name, {})[value] = None
    for name in values.keys() - {*AXES}:
        if len(values[name]) > 1:
            given, searched = ",".join(values[name]), ", ".join(AXES)
            raise OptionError(f"{name}={given}: advise chooses {searched}; give one value of all else")


def _candidate(cell: Cell) -> Candidate:
    return Candidate(cell.strategy, cell.config.workers, cell.runtime)


def _refused(cells: Sequence[Cell]) -> dict[Candidate, str]:
    """Return why candidates do not work with this pipeline, or at all. Raises OptionError if none does."""
    reasons = {_candidate(cell): reason for cell in cells if (reason := cell.not_applicable)}
    for name in dict.fromkeys(cell.runtime for cell in cells):
        alike = [cell for cell in cells if cell.runtime == name]
        try:
            check_options(alike)
            checked_pipelines(alike)
        except OptionError as error:
            reasons |= {_candidate(cell): str(error) for cell in alike}
    if len(reasons) == len(cells):
        raise OptionError("; ".join(dict.fromkeys(reasons.values())))
    return reasons
