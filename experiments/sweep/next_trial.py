"""The next trial of a cell: measured with its progress shown, checked and stored."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from secrets import token_hex
from typing import Any

from tqdm import tqdm

from augment.filesystem import printable
from augment.images import error_line
from augment.options import OptionError
from augment.workload import OnBadImage, Workload
from experiments.machine import conditions
from experiments.store import files as store
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK
from experiments.sweep import preflight
from experiments.sweep.cells import Row, SweepCell, ok_rows
from experiments.sweep.output_folder import DECODER
from experiments.sweep.results_lock import exclusive_use
from experiments.trial import measure
from experiments.trial.measure import Measurement
from experiments.wording import pluralise

LINE_S = 60.0  # between two lines where standard error is no terminal
BAR = "{desc} |{bar}| {n_fmt} of {total_fmt}, {rate_fmt}, about {remaining} to go"
LINE = "{n_fmt} of {total_fmt} images, {rate_fmt}, about {remaining} to go"


def measure_next(cell: SweepCell, sweep: str, number: int) -> None:
    """Measure and store one trial in round `number` of a sweep, unless an earlier one could not begin.

    Do nothing if another sweep has completed the cell. A trial that ends at a bad image's decoder is followed
    by another without the image, if bad images are skipped.
    """
    if any(row["status"] == FAILED and row.get("n_images") is None for row in cell.rows):
        return
    results = cell.cell.config.results_folder
    while True:
        with exclusive_use(results):
            if not cell.missing():
                return
            row, measurement = _run(cell, sweep, number)
            if measurement is None:  # another command has made the outputs meanwhile
                return
            store.write(results, cell.cell.label, row, measurement.details)
        if measurement.decoding and cell.cell.config.on_bad_image is OnBadImage.skip:
            print(f"warning: {cell.cell.label}: {row['error']}; going on without it", file=sys.stderr)
            noted = dict.fromkeys(measurement.decoding, DECODER)
            cell.inputs.bad_images.update(noted)
            try:
                if cell.outputs:
                    cell.outputs.note(noted)
                continue
            except OSError as error:
                row["error"] += f"; {error_line(error)}"
        cell.rows.append(row)
        return


def _run(cell: SweepCell, sweep: str, number: int) -> tuple[Row, Measurement | None]:
    """Return the row of one more trial and what it measured, if anything is left. An error fails the row."""
    begin = time.perf_counter()
    row: Row = cell.planned | {
        "trial_id": token_hex(8),
        "sweep": sweep,
        "round": number,
        "earlier_ok": len(ok_rows(cell.stored_rows)),
        "started_at": datetime.now(UTC),
    }
    if reason := cell.cell.not_applicable:
        return row | {"status": NOT_APPLICABLE, "error": reason}, Measurement({})
    try:
        n_done = sum(cell.outputs.work.done) if cell.outputs else 0
        of_cell = preflight.cell_findings(cell.cell, cell.inputs, n_done)
        findings = [*preflight.first_machine_findings(), *of_cell]
        row["warnings"] = "\n".join(findings) or None
        if (measurement := _measured(cell, row["trial_id"])) is None:
            return row, None
        row |= measurement.columns
        if differing := conditions.changed(row, measurement.conditions):
            error = f"changed during the command: {'; '.join(differing)}; give the command again"
            row |= {"status": FAILED, "error": error}
        elif row["status"] == OK and (reason := cell.unequal(row)):
            row |= {"status": FAILED, "error": reason}
        _end_outputs(cell, row)
    except (OptionError, OSError) as error:
        return row | {"status": FAILED, "error": error_line(error)}, Measurement({})
    if row["status"] == OK:
        row["untimed_s"] = time.perf_counter() - begin - row["wall_s"]
    row["warnings"] = "\n".join([*findings, *measurement.findings]) or None
    return row, measurement


def _end_outputs(cell: SweepCell, row: Row) -> None:
    """Let the row fail if inputs have changed, and enter in the folder of the outputs how they ended."""
    if changed := cell.inputs.changed():
        name = printable(cell.inputs.files.names[changed[0]])
        row["status"] = FAILED
        row["error"] = f"{pluralise(len(changed), 'input file')} changed during the command, such as {name}"
    if cell.outputs:
        bad = json.loads(row["skipped_images"] or "{}")
        cell.outputs.end(changed, bad, is_done=row["status"] == OK)


def _measured(cell: SweepCell, trial_id: str) -> Measurement | None:
    """Run one trial on the inputs, or on those of them whose outputs are missing; None if none is."""
    if not cell.outputs:
        return measure.measure(cell.cell, cell.work, trial_id, lambda finished: None)
    cell.outputs.begin()
    if cell.outputs.is_complete:
        return None
    with output_progress(cell.outputs.work) as show:
        measurement = measure.measure(cell.cell, cell.outputs.work, trial_id, show)
    measurement.columns["resumed_outputs"] = sum(cell.outputs.work.done)
    return measurement


class _Lines(StringIO):
    """A file that prints each state of a bar as a line on standard error."""

    def write(self, text: str) -> int:
        if state := text.strip():
            print(state, file=sys.stderr)
        return len(text)


@contextmanager
def output_progress(work: Workload) -> Iterator[Callable[[int], object]]:
    """Yield a function that shows how many outputs are finished: by a bar, or a line a minute in a log."""
    style: dict[str, Any] = {"bar_format": BAR, "smoothing": 0.1}
    if not sys.stderr.isatty():
        style = {"bar_format": LINE, "smoothing": 0, "file": _Lines(), "miniters": 0}
        style |= dict.fromkeys(("delay", "mininterval", "maxinterval"), LINE_S)
    n_done = sum(work.done)
    with tqdm(desc="images", unit=" images", total=work.n_tasks, initial=n_done, leave=False, **style) as bar:
        yield lambda finished: bar.update(n_done + finished - bar.n)
