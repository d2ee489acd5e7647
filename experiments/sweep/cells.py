"""A cell of a sweep: its images, its identity, its trials so far, and the next one."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from augment.filesystem import printable
from augment.images import error_line
from augment.options import OptionError
from augment.workload import OnBadImage
from experiments.config.cell import Cell, CellFailedError
from experiments.machine import conditions, disturbance
from experiments.store import files as store
from experiments.store.columns import (
    DETERMINING,
    FAILED,
    NOT_APPLICABLE,
    OK,
    WORK,
    digest_of,
    identity,
)
from experiments.sweep import preflight
from experiments.sweep.inputs import Inputs, Inventory
from experiments.sweep.output_folder import DECODER, OutputFolder, refuse_equal_names
from experiments.sweep.planned import planned_columns
from experiments.sweep.progress import OutputProgress
from experiments.sweep.results_lock import exclusive_use
from experiments.trial import measure
from experiments.trial.measure import Measurement
from experiments.trial.process import Checked
from experiments.wording import pluralise

Row = dict[str, Any]
ALREADY_MEASURED = "already measured"
UNKNOWN_INPUTS = {"files": None, "inputs_digest": None, "input_file_system": None}
OF_OUTPUTS = (  # columns that decide what the outputs of a command are
    *("files", "inputs_digest", "pipeline_digest", "seed", "n_augmentations", "outputs_total"),
    *("output_format", "output_quality", "user_modules"),
)
OF_PIXELS = re.compile("numpy|scipy|opencv|albu")  # packages on which the pixels depend


class SweepCell:
    """A cell with its number of trials in a round. `rows` grows with the trials of this sweep."""

    def __init__(
        self, cell: Cell, per_round: int, inventory: Inventory, in_sweep: bool, checked: Checked
    ) -> None:
        """With `in_sweep`, outputs that are kept go to a subfolder for this cell."""
        self.per_round = per_round
        self.companions: list[SweepCell] = []
        self.rows: list[Row] = []
        self._inventory = inventory
        self._inputs: Inputs | None = None
        with suppress(OptionError, OSError):  # becomes a failed row when the trial is tried
            self._inputs = inventory.inputs(cell.config)
        planned = planned_columns(cell, checked) | (self._inputs.columns if self._inputs else UNKNOWN_INPUTS)
        self.identity = identity(planned)
        if in_sweep and cell.config.output_dir:
            # Of the work, not of the machine, so that another one can go on.
            work = {each.name: planned[each.name] for each in DETERMINING if each.determines == WORK}
            folder = f"{cell.config.output_dir}/{cell.label}-{digest_of(work)[:8]}"
            cell = replace(cell, config=replace(cell.config, output_dir=folder))
            planned["output_dir"] = str(cell.config.output_place)
        self.cell, self._planned = cell, planned | {"cell": self.identity}
        self.outputs = self._kept_outputs()

    def _kept_outputs(self) -> OutputFolder | None:
        """Return the folder that keeps the outputs; None if they are not kept, or nothing can be read."""
        config = self.cell.config
        if not config.output_dir or self.cell.not_applicable or not self._inputs:
            return None
        work = replace(measure.workload(self.cell, self._inputs.files), output=config.output_place)
        packages = json.loads(self._planned["packages"]).items()
        determining = {name: self._planned[name] for name in OF_OUTPUTS}
        determining |= {name: version for name, version in packages if OF_PIXELS.match(name)}
        return OutputFolder(config.output_dir, work, determining, self.cell.command)

    @property
    def input_findings(self) -> Sequence[str]:
        """The lines on what else lies among the inputs."""
        return self._inputs.files.findings if self._inputs else ()

    @property
    def stored_rows(self) -> list[Row]:
        """The rows of this and of earlier sweeps, oldest first."""
        return store.trials_of(self.cell.config.results_folder, self.cell.experiment, self.identity)

    @property
    def status(self) -> str:
        """The outcome of this sweep: `failed` if any trial failed."""
        statuses = [row["status"] for row in self.rows]
        return FAILED if FAILED in statuses else statuses[0] if statuses else ALREADY_MEASURED

    @property
    def failures(self) -> list[str]:
        """A line for each different error of its trials in this sweep."""
        errors = dict.fromkeys(row["error"] for row in self.rows if row["status"] == FAILED)
        return [f"{self.cell.label} failed: {error}" for error in errors]

    def release(self) -> None:
        """Let other commands write to the folder of its outputs."""
        if self.outputs:
            self.outputs.release()

    def seconds_per_task(self) -> float:
        """Return the mean of ok trials, or infinity. Raises CellFailedError if one of this sweep failed."""
        if failures := [line for cell in (self, *self.companions) for line in cell.failures]:
            raise CellFailedError("; ".join(failures))
        ok = of_newest_node(ok_rows(self.stored_rows))
        return sum(row["wall_s"] / row["tasks"] for row in ok) / len(ok) if ok else math.inf

    def missing(self) -> int:
        """Return how many trials this sweep has to add; one if outputs to be kept are missing."""
        rows, config = self.stored_rows, self.cell.config
        if self.cell.not_applicable:
            return int(not self.is_complete(rows, 0))
        if self.outputs:
            return int(not self.outputs.is_complete)
        wanted = self.per_round * config.repetitions
        return wanted if config.rerun else max(wanted - len(ok_rows(rows)), 0)

    def is_complete(self, rows: Sequence[Row], target: int) -> bool:
        """Return whether these rows hold `target` ok trials, or say that the cell does not apply."""
        if self.cell.not_applicable:
            return any(row["status"] == NOT_APPLICABLE for row in rows)
        return not (self.cell.config.rerun or self.cell.config.output_dir) and len(ok_rows(rows)) >= target

    def measure(self, sweep: str, number: int, target: int) -> Row | None:
        """Measure and store one trial in round `number` of a sweep, and return its row.

        A trial that ends at a bad image's decoder is followed by another without the image, if bad images are
        skipped. Return None if another sweep has completed the cell, or if an earlier trial could not begin.
        """
        if any(row["status"] == FAILED and row.get("n_images") is None for row in self.rows):
            return None
        results = self.cell.config.results_folder
        while True:
            with exclusive_use(results):
                rows = self.stored_rows
                if self.is_complete(rows, target):
                    return None
                row, measurement = self._run(sweep, number, ok_rows(rows))
                if measurement is None:  # another command has made the outputs meanwhile
                    return None
                store.write(results, self.cell.label, row, measurement.details)
            if not measurement.decoding or self.cell.config.on_bad_image is OnBadImage.fail:
                self.rows.append(row)
                return row
            try:
                self._skip(measurement.decoding, row["error"])
            except OSError as error:
                self.rows.append(row | {"error": f"{row['error']}; {error_line(error)}"})
                return row

    def _skip(self, image_indices: Sequence[int], error: str) -> None:
        """Let the next trials skip images that a decoder did not survive."""
        assert self._inputs
        print(f"warning: {self.cell.label}: {error}; going on without it", file=sys.stderr)
        noted = dict.fromkeys(image_indices, DECODER)
        self._inputs.bad_images.update(noted)
        if self.outputs:
            self.outputs.note(noted)

    def _run(self, sweep: str, number: int, earlier_ok: Sequence[Row]) -> tuple[Row, Measurement | None]:
        """Return the row of one more trial and what was measured, if anything was left to do.

        An error becomes a failed row.
        """
        begin = time.perf_counter()
        row: Row = self._planned | {
            "trial_id": token_hex(8),
            "sweep": sweep,
            "round": number,
            "earlier_ok": len(earlier_ok),
            "started_at": datetime.now(UTC),
        }
        if reason := self.cell.not_applicable:
            return row | {"status": NOT_APPLICABLE, "error": reason}, Measurement({})
        try:
            inputs = self._inventory.inputs(self.cell.config)
            n_done = self.outputs.resumed_outputs if self.outputs else 0
            of_cell = preflight.cell_findings(self.cell, inputs, n_done)
            findings = [*preflight.first_machine_findings(), *of_cell]
            row |= inputs.size_columns | {"warnings": "\n".join(findings) or None}
            if (measurement := self._measured(inputs, row["trial_id"])) is None:
                return row, None
            row |= measurement.columns
            if differing := conditions.changed(row, measurement.conditions):
                error = f"changed during the command: {'; '.join(differing)}; give the command again"
                row |= {"status": FAILED, "error": error}
            self._end_outputs(row, inputs)
        except (OptionError, OSError) as error:
            return row | {"status": FAILED, "error": error_line(error)}, Measurement({})
        if row["status"] == OK:
            walls_s = [trial["wall_s"] for trial in of_newest_node([*earlier_ok, row])]
            findings += [] if self.outputs else disturbance.spread_findings(walls_s)
            row["untimed_s"] = time.perf_counter() - begin - row["wall_s"]
        row["warnings"] = "\n".join([*findings, *measurement.findings]) or None
        return row, measurement

    def _end_outputs(self, row: Row, inputs: Inputs) -> None:
        """Let the row fail if inputs have changed, and enter in the folder of the outputs how they ended."""
        if changed := inputs.changed():
            name = printable(inputs.files.names[changed[0]])
            row["status"] = FAILED
            row["error"] = (
                f"{pluralise(len(changed), 'input file')} changed during the command, such as {name}"
            )
        if self.outputs:
            self.outputs.discard(changed)
            bad = json.loads(row["skipped_images"] or "{}")
            if row["status"] == OK:
                self.outputs.finish(bad)
            elif bad:
                self.outputs.list_bad_images(bad)

    def _measured(self, inputs: Inputs, trial_id: str) -> Measurement | None:
        """Run one trial on these inputs, or on those of them whose outputs are missing; None if none is."""
        if self.cell.config.output_dir and not self.outputs:
            raise OptionError("dataset: it could not be read when the command began; give the command again")
        if not self.outputs:
            work = replace(measure.workload(self.cell, inputs.files), bad_images=inputs.bad_images)
            return measure.measure(self.cell, work, trial_id)
        self.outputs.begin()
        if self.outputs.is_complete:
            return None
        with OutputProgress(self.outputs.work) as progress:
            measurement = measure.measure(self.cell, self.outputs.work, trial_id, progress.show)
        measurement.columns["resumed_outputs"] = self.outputs.resumed_outputs
        return measurement

    def check_outputs(self) -> None:
        """Raise OptionError if outputs would fall among the inputs or replace other files."""
        config, place = self.cell.config, self.cell.config.output_place
        if self._inputs and config.saving:
            refuse_equal_names(measure.workload(self.cell, self._inputs.files))
        if not self.outputs:
            return
        if self._inputs and self._inputs.has_images_in(place):
            raise OptionError(f"output_dir={config.output_dir}: holds the inputs; give another folder")
        try:
            self.outputs.check(config.overwrite)
        except OSError as error:
            reason = f"cannot be read: {error_line(error)}; give another folder"
            raise OptionError(f"output_dir={config.output_dir}: {reason}") from error


def ok_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of ok trials that made all their outputs."""
    return [row for row in rows if row["status"] == OK and not row.get("resumed_outputs")]


def of_newest_node(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the last one's node, because times of different nodes share no mean."""
    return [row for row in rows if row["node"] == rows[-1]["node"]]
