"""A cell as a member of a sweep: how many trials it has, how many it lacks, and where its outputs go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from augment.location import is_local, listed
from augment.option import OptionError
from experiments.measure.cell_files import output_place, results_folder
from experiments.measure.cell_trials import CellTrials, Row
from experiments.plan.cell import Cell
from experiments.plan.command import command
from experiments.records import store
from experiments.records.schema import FAILED, NOT_APPLICABLE, OK


class Member:
    """One cell of a sweep, whatever command asked for its earlier trials."""

    def __init__(self, cell: Cell, in_sweep: bool) -> None:
        """`in_sweep`: the sweep has more cells, so this one keeps its outputs in a folder of its own."""
        self._trials = CellTrials(cell)
        self.identity = self._trials.identity
        if in_sweep and cell.config.output_dir:
            folder = f"{cell.config.output_dir}/{cell.label}-{self.identity[:8]}"
            cell = replace(cell, config=replace(cell.config, output_dir=folder))
            self._trials = CellTrials(cell)
        self.cell = cell
        self.per_round = 1  # how often a round measures it
        self.rows: list[Row] = []  # of this sweep
        self._target = 0  # ok trials after it

    def all_rows(self) -> list[Row]:
        """Its trials of this sweep and of earlier ones, oldest first."""
        return store.trials_of(results_folder(self.cell), self.cell.experiment, self.identity)

    def _has_all(self, rows: Sequence[Row]) -> bool:
        """Whether, with these rows, it has what this sweep is to give it."""
        if self.cell.not_applicable:
            return any(row["status"] == NOT_APPLICABLE for row in rows)
        return not self.cell.config.rerun and _count_ok(rows) >= self._target

    @property
    def plan(self) -> Row:
        """Its row in the plan of this sweep, once it is known what it lacks."""
        cell = self.cell
        names = {"experiment": cell.experiment, "pipeline": cell.pipeline, "runtime_name": cell.runtime}
        work = {"cell": self.identity, "label": cell.label, "command": command(cell), "trials": self._target}
        return names | work

    def lacking(self) -> int:
        """How many trials it is to be given: those asked for less the ok ones that it has; all of them where
        they are wanted anew; one where the outputs are not where they are to be kept."""
        rows, wanted = self.all_rows(), self.per_round * self.cell.config.repetitions
        if self.cell.not_applicable:
            self._target = 0
            return int(not self._has_all(rows))
        ok = _count_ok(rows)
        lacks = wanted if self.cell.config.rerun else max(wanted - ok, int(not self._outputs_kept(rows)), 0)
        self._target = ok + lacks
        return lacks

    def measure(self, sweep: str, number: int) -> Row | None:
        """One trial in round `number` of `sweep`, and its row; none where another sweep has measured it
        meanwhile, or it was seen before that the cell cannot even begin."""
        if any(row["status"] == FAILED and row.get("n_images") is None for row in self.rows):
            return None
        results = results_folder(self.cell)
        with store.turn(results):
            rows = self.all_rows()
            if self._has_all(rows):
                return None
            trial = self._trials.run(sweep, number, rows)
            store.write(results, self.cell.label, trial.row, trial.parts)
        self.rows.append(trial.row)
        return trial.row

    def failures(self) -> list[str]:
        """One line for each different error of its trials in this sweep."""
        errors = dict.fromkeys(row["error"] for row in self.rows if row["status"] == FAILED)
        return [f"{self.cell.label} failed: {error}" for error in errors]

    def _outputs_kept(self, rows: Sequence[Row]) -> bool:
        """Whether as many outputs as a trial wrote, images left out aside, are where they are to be kept; yes
        where none is."""
        try:
            outputs, there = self._outputs()
        except (OptionError, OSError):  # becomes a failed row when the trial is tried
            return True
        written = max((row["outputs"] for row in rows if row["status"] == OK), default=0)
        return not outputs or len(there) >= written

    def _outputs(self) -> tuple[list[str], list[str]]:
        """The names of the outputs that are to be kept, and of those that are there. Raises OptionError and
        OSError."""
        names = self._trials.planned_outputs()
        try:
            present = listed(output_place(self.cell)) if names else {}
        except FileNotFoundError:
            present = {}
        return names, [name for name in names if name in present]

    def check_outputs(self) -> None:
        """Raises OptionError where outputs would fall among the inputs, or upon files that no earlier
        trial of this cell has left there."""
        option, place = f"output_dir={self.cell.config.output_dir}", output_place(self.cell)
        try:
            outputs, taken = self._outputs()
        except NotADirectoryError:
            raise OptionError(f"{option}: not a folder") from None
        except (OptionError, OSError):  # becomes a failed row when the trial is tried
            return
        if outputs and (place.resolve() if is_local(place) else place) in self._trials.input_folders():
            raise OptionError(f"{option}: holds the inputs; give another folder")
        known = any(row["output_dir"] == str(place) for row in self.all_rows() if row["status"] == OK)
        if taken and not known and not self.cell.config.overwrite:
            raise OptionError(
                f"{option}: {len(taken)} files of these names are there, such as {taken[0]!a}; "
                "give another folder or overwrite=true"
            )


def _count_ok(rows: Sequence[Row]) -> int:
    return sum(row["status"] == OK for row in rows)
