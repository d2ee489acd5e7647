"""The trials of one cell: prepared once, then run one by one, each a row with its tasks."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from augment.files import compact
from augment.image_io import error_line
from augment.location import is_local
from augment.option import OptionError
from augment.workload import Job, Workload
from experiments.host import calibration
from experiments.inputs.sample import size
from experiments.inputs.vetting import Vetted
from experiments.measure import environment, preflight, supervisor
from experiments.measure.cell_files import content_digest, input_files, output_place, results_folder, vetted
from experiments.measure.rows import input_columns, measured_columns, planned_columns
from experiments.measure.scratch import apart, scratch
from experiments.measure.task_columns import tables
from experiments.plan.cell import Cell
from experiments.plan.options import OnShortage
from experiments.records.schema import FAILED, NOT_APPLICABLE, OK, identity

if TYPE_CHECKING:
    import pyarrow as pa


Row = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """The row of a trial, and its parts: tables after their names in `records.schema.PARTS`, each made
    when it is asked for, so that those of a million tasks need not be there at the same time."""

    row: Row
    parts: Iterable[tuple[str, pa.Table]] = ()


class CellTrials:
    """A cell and the trials that it is given."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @cached_property
    def identity(self) -> str:
        """What trials of the same cell share: see `records.schema.identity`."""
        return identity(self._known)

    @cached_property
    def _known(self) -> Row:
        """The columns that are known before anything is measured."""
        columns = planned_columns(self.cell) | environment.columns()
        config = self.cell.config
        columns["oversubscribed"] = (
            config.strategy.on_this_machine and config.workers > columns["usable_cpus"]
        )
        if isinstance(self._files, Exception):
            return columns | {"inputs_digest": None, "files": None}
        if self.cell.config.sample:
            columns["sampled_images"] = json.dumps({path.name: size(path) for path in self._files})
        return columns | {"inputs_digest": content_digest(tuple(self._files)), "files": len(self._files)}

    @cached_property
    def _files(self) -> list[Path] | Exception:
        """The files of its dataset, or why they cannot be had."""
        try:
            return input_files(self.cell)
        except (OptionError, OSError) as error:
            return error

    @cached_property
    def _inputs(self) -> Vetted:
        """Which of the files are augmented. Raises OptionError, OSError."""
        if isinstance(self._files, Exception):
            raise self._files
        return vetted(self.cell, self._files)

    @cached_property
    def _findings(self) -> list[str]:
        """What would spoil its trials. Raises OptionError where it is short of something."""
        cell, inputs, place = self.cell, self._inputs, output_place(self.cell)
        place.mkdir(parents=True, exist_ok=True)
        lacking = preflight.shortages(cell, inputs.sizes, [path.suffix for path in inputs.good], place)
        if lacking and cell.config.on_shortage is OnShortage.refuse:
            raise OptionError(f"{'; '.join(lacking)}; on_shortage=warn tries all the same")
        return [*environment.findings(), *preflight.cell_findings(cell), *lacking]

    def planned_outputs(self) -> list[str]:
        """The names of the outputs that are kept; none without `output_dir`, or where it makes only some of
        them. Raises OptionError, OSError."""
        config = self.cell.config
        if not (config.output_dir and config.strategy.complete) or self.cell.not_applicable:
            return []
        if isinstance(self._files, Exception):
            raise self._files
        return _workload(self.cell, self._files, None).output_names()

    def input_folders(self) -> set[Path]:
        """The folders that hold its inputs."""
        files = [] if isinstance(self._files, Exception) else self._files
        return {path.parent.resolve() if is_local(path) else path.parent for path in files}

    def run(self, sweep: str, number: int, earlier: Sequence[Row]) -> Measured:
        """One trial more, in round `number` of `sweep`, after `earlier` ones of the same cell. Whatever goes
        wrong becomes a failed row with its reason."""
        begin, ok = time.perf_counter(), [row for row in earlier if row["status"] == OK]
        row: Row = self._known | {
            "trial_id": token_hex(8),
            "sweep": sweep,
            "round": number,
            "cell": self.identity,
            "repetition": len(ok),
            "started_at": datetime.now(UTC),
        }
        if reason := self.cell.not_applicable:
            return Measured(row | {"status": NOT_APPLICABLE, "error": reason})
        try:
            row |= input_columns(self._inputs, self.cell.config.n_augmentations)
            row["warnings"] = _lines(self._findings)
            measured = self._measured(row, [float(each["wall_s"]) for each in ok])
            if (wall_s := measured.row.get("wall_s")) is not None:
                measured.row["outside_s"] = time.perf_counter() - begin - wall_s
            return measured
        except (OptionError, OSError) as error:
            return Measured(row | {"status": FAILED, "error": error_line(error)})

    def _measured(self, row: Row, earlier_walls_s: list[float]) -> Measured:
        """Runs the trial in scratch folders and keeps of them what is to be kept."""
        config, place = self.cell.config, output_place(self.cell)
        complete = config.strategy.complete
        with scratch(Path(tempfile.gettempdir())) as folder, _outputs_at(place) as output:
            job = _job(self.cell, self._inputs.good, folder, output)
            before_s = calibration.kernel_s()
            outcome = supervisor.run(config.strategy, job, folder, config.trial_timeout_s)
            after_s = calibration.kernel_s()
            measured = measured_columns(outcome, job, complete)
            if config.output_dir and complete and measured["status"] == OK and output != place:
                for name in job.workload.output_names():
                    os.replace(output / name, place / name)
            if outcome.result and job.profiles:
                kept = results_folder(self.cell) / "profiles" / self.cell.label
                shutil.copytree(job.profiles, kept, dirs_exist_ok=True)
        walls_s = [*earlier_walls_s, measured["wall_s"]] if measured["status"] == OK else []
        warnings = [
            *self._findings,
            *_threads_at_fork(outcome),
            *calibration.findings(before_s, after_s),
            *calibration.spread_findings(walls_s),
        ]
        row |= {"kernel_before_s": before_s, "kernel_after_s": after_s, "warnings": _lines(warnings)}
        parts = tables(outcome, row["trial_id"], config.saving, complete)
        return Measured(row | measured, parts)


@contextmanager
def _outputs_at(place: Path) -> Iterator[Path]:
    """Where a trial puts its outputs: into a scratch folder there, to be moved when all are; at an address
    each at once under its name."""
    if is_local(place):
        with scratch(place) as folder:
            yield apart(folder)
    else:
        yield place


def _workload(cell: Cell, inputs: Sequence[Path], output: Path | None) -> Workload:
    config = cell.config
    return Workload(compact(inputs), config.n_augmentations, config.pipeline, config.seed, output)


def _job(cell: Cell, inputs: Sequence[Path], folder: Path, output: Path) -> Job:
    config = cell.config
    for name in ("logs", "profiles"):
        (folder / name).mkdir()
    workload = _workload(cell, inputs, output if config.saving else None)
    profiles = folder / "profiles" if config.profile else None
    return Job(workload, config.workers, config.runtime, folder / "logs", config.trace, profiles)


def _threads_at_fork(outcome: supervisor.Outcome) -> list[str]:
    """What a forked process inherits of another thread's locks stays locked for ever."""
    result = outcome.result
    if result is None or result.start_method != "fork" or result.threads_before <= 1:
        return []
    return [f"{result.threads_before} threads were alive before the fork"]


def _lines(findings: Sequence[str]) -> str | None:
    return "\n".join(findings) or None
