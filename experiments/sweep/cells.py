"""A cell of a sweep: its images, its identity, its trials so far, and the next one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from augment.filesystem import file_sizes
from augment.images import error_line
from augment.options import OptionError
from experiments.config.cell import Cell
from experiments.machine import disturbance
from experiments.store import files as store
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK, identity
from experiments.sweep import preflight
from experiments.sweep.inputs import Inputs, Inventory
from experiments.sweep.planned_row import cell_command, image_columns, input_columns, planned_columns
from experiments.sweep.results_lock import turn
from experiments.trial import measure

Row = dict[str, Any]


class SweepCell:
    """A cell with its companions' share of each round. `rows` grows with its trials; nothing else changes."""

    def __init__(self, cell: Cell, per_round: int, inventory: Inventory, in_sweep: bool) -> None:
        """`in_sweep`: the sweep has more cells, so this one keeps its outputs in a folder of its own."""
        self.per_round = per_round
        self.rows: list[Row] = []  # of this sweep
        self._inventory = inventory
        self.inputs: Inputs | Exception = _inputs(cell, inventory)
        known = planned_columns(cell) | input_columns(self.inputs)
        self.identity = identity(known)
        if in_sweep and cell.config.output_dir:
            folder = f"{cell.config.output_dir}/{cell.label}-{self.identity[:8]}"
            cell = replace(cell, config=replace(cell.config, output_dir=folder))
            known["output_dir"] = str(cell.config.output_place)
        self.cell, self._known = cell, known

    @property
    def stored_rows(self) -> list[Row]:
        """The rows of this and of earlier sweeps, oldest first."""
        return store.trials_of(self.cell.config.results_folder, self.cell.experiment, self.identity)

    @property
    def failures(self) -> list[str]:
        """A line for each different error of its trials in this sweep."""
        errors = dict.fromkeys(row["error"] for row in self.rows if row["status"] == FAILED)
        return [f"{self.cell.label} failed: {error}" for error in errors]

    def missing(self) -> int:
        """Return how many trials this sweep has to add.

        These are the trials asked for less the ok ones, or all of them if they are wanted anew, or one if
        kept outputs are gone.
        """
        rows, config = self.stored_rows, self.cell.config
        if self.cell.not_applicable:
            return int(not self.is_complete(rows, 0))
        wanted = self.per_round * config.repetitions
        return wanted if config.rerun else max(wanted - count_ok(rows), int(not self._outputs_kept(rows)), 0)

    def is_complete(self, rows: Sequence[Row], target: int) -> bool:
        """Return whether these rows hold `target` ok trials, or say that the cell does not apply."""
        if self.cell.not_applicable:
            return any(row["status"] == NOT_APPLICABLE for row in rows)
        return not self.cell.config.rerun and count_ok(rows) >= target

    def plan(self, target: int) -> Row:
        """Return its row in the plan of a sweep after which it has `target` ok trials."""
        cell = self.cell
        names = {"experiment": cell.experiment, "pipeline": cell.pipeline, "runtime_name": cell.runtime}
        work = {"cell": self.identity, "label": cell.label, "command": cell_command(cell), "trials": target}
        return names | work

    def measure(self, sweep: str, number: int, target: int) -> Row | None:
        """Measure and store one trial in round `number` of a sweep, and return its row.

        None if another sweep has completed the cell meanwhile, or if the cell could not even begin before.
        """
        if any(row["status"] == FAILED and row.get("n_images") is None for row in self.rows):
            return None
        results = self.cell.config.results_folder
        with turn(results):
            rows = self.stored_rows
            if self.is_complete(rows, target):
                return None
            row, tables = self._run(sweep, number, rows)
            store.write(results, self.cell.label, row, tables)
        self.rows.append(row)
        return row

    def _run(self, sweep: str, number: int, stored: Sequence[Row]) -> tuple[Row, Any]:
        """Return the row and the detail tables of one more trial. An error becomes a failed row."""
        begin, ok = time.perf_counter(), [row for row in stored if row["status"] == OK]
        row: Row = self._known | {
            "trial_id": token_hex(8),
            "sweep": sweep,
            "round": number,
            "cell": self.identity,
            "earlier_ok": len(ok),
            "started_at": datetime.now(UTC),
        }
        if reason := self.cell.not_applicable:
            return row | {"status": NOT_APPLICABLE, "error": reason}, ()
        try:
            vetted = self._inventory.vetted(self.cell.config)
            row |= image_columns(vetted, self.cell.config.n_augmentations)
            findings = [*preflight.first_machine_findings(), *preflight.cell_findings(self.cell, vetted)]
            row["warnings"] = "\n".join(findings) or None
            measurement = measure.measure(self.cell, vetted.good, row["trial_id"])
        except (OptionError, OSError) as error:
            return row | {"status": FAILED, "error": error_line(error)}, ()
        row |= measurement.columns
        if row["status"] == OK:
            findings += disturbance.spread_findings([*(each["wall_s"] for each in ok), row["wall_s"]])
            row["untimed_s"] = time.perf_counter() - begin - row["wall_s"]
        row["warnings"] = "\n".join([*findings, *measurement.findings]) or None
        return row, measurement.details

    def check_outputs(self) -> None:
        """Raise OptionError if outputs would fall among the inputs or upon files of somebody else."""
        config, place = self.cell.config, self.cell.config.output_place
        option = f"output_dir={config.output_dir}"
        try:
            names, present = self._outputs()
        except NotADirectoryError:
            raise OptionError(f"{option}: not a folder") from None
        except (OptionError, OSError):  # becomes a failed row when the trial is tried
            return
        if not names or isinstance(self.inputs, Exception):
            return
        if place.resolve() in self.inputs.folders:
            raise OptionError(f"{option}: holds the inputs; give another folder")
        ok = [row for row in self.stored_rows if row["status"] == OK]
        is_its_own = any(row["output_dir"] == str(place) for row in ok)
        if present and not is_its_own and not config.overwrite:
            raise OptionError(
                f"{option}: {len(present)} files of these names are there, such as {present[0]!a}; "
                "give another folder or overwrite=true"
            )

    def _outputs_kept(self, rows: Sequence[Row]) -> bool:
        """Return whether as many kept outputs are there as a trial wrote; true if none is to be kept."""
        try:
            names, present = self._outputs()
        except (OptionError, OSError):  # becomes a failed row when the trial is tried
            return True
        written = max((row["outputs"] for row in rows if row["status"] == OK), default=0)
        return not names or len(present) >= written

    def _outputs(self) -> tuple[list[str], list[str]]:
        """Return the names of outputs to keep and of those that are there. Raises OptionError, OSError."""
        config = self.cell.config
        if not (config.output_dir and config.strategy.complete) or self.cell.not_applicable:
            return [], []
        if isinstance(self.inputs, Exception):
            raise self.inputs
        names = measure.workload(self.cell, self.inputs.files, None).output_names()
        try:
            there = file_sizes(config.output_place)
        except FileNotFoundError:
            return names, []
        return names, [name for name in names if name in there]


def _inputs(cell: Cell, inventory: Inventory) -> Inputs | Exception:
    try:
        return inventory.inputs(cell.config)
    except (OptionError, OSError) as error:
        return error


def count_ok(rows: Sequence[Row]) -> int:
    """Return how many of the rows are ok."""
    return sum(row["status"] == OK for row in rows)
