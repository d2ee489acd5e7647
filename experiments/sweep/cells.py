"""A cell of a sweep: its images, its identity, its outputs, its trials so far, and their line at the end."""

import json
import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from augment.images import error_line
from augment.options import OptionError, determining
from experiments.config.cell import Cell, CellFailedError
from experiments.machine import environment
from experiments.machine.environment import file_system
from experiments.store import files as store
from experiments.store.columns import FAILED, NOT_APPLICABLE, OF_OUTPUTS, OF_WORK, OK, digest_of, identity
from experiments.sweep.inputs import Inputs
from experiments.sweep.output_folder import BAD_IMAGES, OutputFolder, refuse_equal_names
from experiments.trial import measure
from experiments.wording import duration, pluralise, significant

Row = dict[str, Any]
ALREADY_MEASURED = "already measured"
OF_CELL = ("experiment", "command", "protocol", "ablation", "strategy", "dataset", "pipeline")  # columns
OF_PIXELS = re.compile("numpy|scipy|opencv|albu")  # packages on which the pixels depend


class SweepCell:
    """A cell with its number of trials in a round. `rows` grows with the trials of this sweep."""

    def __init__(self, cell: Cell, inputs: Inputs, in_sweep: bool, checked: Row) -> None:
        """Prepare to measure the cell; with `in_sweep`, outputs that are kept go to a subfolder for it."""
        self.per_round = 1
        self.companions: list[SweepCell] = []
        self.rows: list[Row] = []
        self.inputs = inputs
        planned = planned_columns(cell, checked) | inputs.columns
        self.identity = identity(planned)
        if cell.config.output_dir and cell.not_applicable and not in_sweep:
            raise OptionError(f"output_dir={cell.config.output_dir}: {cell.not_applicable}")
        if in_sweep and cell.config.output_dir:
            # Of the work, not of the machine, so that another one can go on.
            work = {name: planned[name] for name in OF_WORK}
            folder = f"{cell.config.output_dir}/{cell.label}-{digest_of(work)[:8]}"
            cell = replace(cell, config=replace(cell.config, output_dir=folder))
            planned["output_dir"] = str(cell.config.output_place)
        self.cell, self.planned = cell, planned | {"cell": self.identity}
        self.work = replace(measure.workload(cell, inputs.files), bad_images=inputs.bad_images)
        packages = json.loads(planned["packages"]).items()
        self.of_outputs = {name: planned[name] for name in OF_OUTPUTS}
        self.of_outputs |= {name: version for name, version in packages if OF_PIXELS.match(name)}
        self.alike: list[SweepCell] = []  # cells of the sweep that make equal outputs
        self.outputs: OutputFolder | None = None  # if they are kept
        if cell.config.output_dir and not cell.not_applicable:
            kept = replace(self.work, output=cell.config.output_place)
            self.outputs = OutputFolder(cell.config.output_dir, kept, self.of_outputs, cell.command)

    @property
    def stored_rows(self) -> list[Row]:
        """Return the rows of this and of earlier sweeps, oldest first."""
        return store.trials_of(self.cell.config.results_folder, self.cell.experiment, self.identity)

    @property
    def status(self) -> str:
        """Return the outcome of this sweep: `failed` if any trial failed."""
        statuses = [row["status"] for row in self.rows]
        known = NOT_APPLICABLE if self.cell.not_applicable else ALREADY_MEASURED
        return FAILED if FAILED in statuses else statuses[0] if statuses else known

    @property
    def failures(self) -> list[str]:
        """Return a line for each different error of its trials in this sweep."""
        errors = dict.fromkeys(row["error"] for row in self.rows if row["status"] == FAILED)
        return [f"{self.cell.label} failed: {error}" for error in errors]

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
            return int(all(row["status"] != NOT_APPLICABLE for row in rows))
        if self.outputs:
            return int(not self.outputs.is_complete)
        wanted = self.per_round * config.repetitions
        return wanted if config.rerun else max(wanted - len(ok_rows(rows)), 0)

    def unequal(self, row: Row) -> str | None:
        """Return how a trial's outputs differ from those of an earlier one of equal work; None if equal."""
        if not row.get("outputs_digest"):
            return None
        for each in self.alike:
            for known in ok_rows(each.stored_rows):
                is_alike = all(known[name] == row[name] for name in ("hashed_outputs", "skipped_images"))
                if is_alike and known["outputs_digest"] not in (None, row["outputs_digest"]):
                    return (
                        f"its outputs, {row['distinct_outputs']} different ones of {row['outputs']}, are not "
                        f"those of {each.cell.label}: the pipeline draws from more than the task's seed"
                    )
        return None

    def check_outputs(self) -> None:
        """Raise OptionError if outputs would fall among the inputs or replace other files."""
        config, place = self.cell.config, self.cell.config.output_place
        if config.saving:
            refuse_equal_names(self.work)
        if not self.outputs:
            return
        try:
            if self.inputs.has_images_in(place):
                raise OptionError(f"output_dir={config.output_dir}: holds the inputs; give another folder")
            self.outputs.check(config.overwrite)
        except (OSError, RuntimeError) as error:  # of a loop of links before Python 3.13
            reason = f"cannot be read: {error_line(error)}; give another folder"
            raise OptionError(f"output_dir={config.output_dir}: {reason}") from error


def ok_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of ok trials that made all their outputs."""
    return [row for row in rows if row["status"] == OK and not row.get("resumed_outputs")]


def of_newest_node(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the last one's node, because times of different nodes share no mean."""
    return [row for row in rows if row["node"] == rows[-1]["node"]]


def planned_columns(cell: Cell, checked: Row) -> Row:
    """Return the columns that follow from the cell's configuration, and from what was checked for it."""
    config = cell.config
    return {
        **environment.machine_columns(),
        **checked,
        **determining(config),
        **{name: getattr(cell, name) for name in OF_CELL},
        **{name: getattr(config, name) for name in ("repetitions", "order_seed", "scratch_dir")},
        "strategy_options": json.dumps(determining(config.strategy), sort_keys=True),
        "runtime_name": cell.runtime,
        "runtime": json.dumps(determining(config.runtime), sort_keys=True),
        "dataset_options": json.dumps(asdict(config.dataset), sort_keys=True),
        "output_dir": str(config.output_place) if config.output_dir else None,
        "output_file_system": file_system(config.output_place) if config.saving else None,
        "scratch_file_system": file_system(Path(tempfile.gettempdir())),
    }


def result_line(cell: SweepCell) -> str:
    """Return its numbers, like `p2-4w-2000x1000-saving: 1.24 s (1.20 to 1.28), 65.0 images/s, 80 outputs`."""
    label, rows = cell.cell.label, cell.stored_rows
    if cell.outputs:
        return f"{label}: {cell.rows[-1]['status'] if cell.rows else 'all outputs are there'}"
    if not (ok := of_newest_node(ok_rows(rows))):
        return f"{label}: {rows[-1]['error'] if rows else ALREADY_MEASURED}"
    walls_s = [row["wall_s"] for row in ok]
    spread = f" ({significant(min(walls_s))} to {significant(max(walls_s))})" if len(walls_s) > 1 else ""
    wall_s = sum(walls_s) / len(walls_s)
    strategy, config = cell.cell.config.strategy, cell.cell.config
    done = ok[0]["tasks"] * (config.workers if strategy.instrument else 1)  # an instrument's workers do all
    rate = f", {significant(done / wall_s)} images/s" if strategy.complete else ""
    return f"{label}: {significant(wall_s)} s{spread}{rate}, {ok[0]['outputs']} outputs"


def output_line(cell: SweepCell, is_alone: bool) -> str | None:
    """Return the outcome for kept outputs: `200 images of 200 in 3 min 12 s (start to end), …`."""
    if not cell.outputs or cell.status == FAILED:
        return None
    total, place = cell.outputs.work.n_tasks, cell.cell.config.output_dir
    if not cell.rows:
        return f"{place}: all outputs are there; nothing was left to do"
    row = cell.rows[-1]
    resumed = f" ({row['resumed_outputs']:,} were there)" if row["resumed_outputs"] else ""
    bad = len(json.loads(row["skipped_images"] or "{}"))
    listed = f", {pluralise(bad, 'bad image')}: {place}/{BAD_IMAGES}" if bad else ""
    end = f"{significant(row['output_bytes'] / 1e6)} MB{listed}"
    done = f"{row['outputs']:,} images of {total:,}{resumed}"
    if is_alone:
        return f"{done} in {duration(environment.command_s())} (start to end), {end}"
    return f"{place}: {done} in {duration(row['wall_s'] + row['untimed_s'])}, {end}"
