"""Many cells, one after another: checked first, then measured and stored, then summed up."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from augment import pipeline
from augment.option import OptionError
from experiments.measure.cell_files import input_files, planned_outputs
from experiments.measure.progress import Progress
from experiments.measure.repetitions import Measured, measure
from experiments.measure.surroundings import Surroundings
from experiments.plan.cell import Cell, with_companions
from experiments.records import store
from experiments.records.schema import FAILED, OK, Trial

ALREADY = "already measured"


def run(cells: Sequence[Cell]) -> int:
    """Measures every cell that is not in the results yet and prints what came of them; returns the
    exit status, 1 when a cell failed. Raises OptionError, before anything is measured or written,
    when a cell cannot work."""
    cells = _with_own_outputs(with_companions(cells))
    check(cells)
    surroundings = Surroundings()
    for finding in surroundings.findings:
        print(f"warning: {finding}", file=sys.stderr)
    measured: dict[Cell, Kept | None] = {}
    with Progress(cells) as progress:
        for cell, repetitions in schedule(cells):
            progress.begin(cell)
            begin = time.monotonic()
            if cell not in measured or measured[cell]:
                measured[cell] = measure_some(cell, surroundings, repetitions, measured.get(cell))
            progress.end(cell, repetitions, bool(measured[cell]), time.monotonic() - begin)
    rows = [(cell, kept.rows.trials if kept else []) for cell, kept in measured.items()]
    print(summary(rows))
    return int(any(trial.status == FAILED for _, trials in rows for trial in trials))


def schedule(cells: Sequence[Cell]) -> list[tuple[Cell, range]]:
    """Which repetitions of which cell come one after another: all of a cell's, or, where the first
    cell interleaves, one of each cell's in rounds, so that drift falls on all alike."""
    if not cells[0].config.interleave:
        return [(cell, range(cell.config.repetitions)) for cell in cells]
    most = max(cell.config.repetitions for cell in cells)
    return [
        (cell, range(number, number + 1))
        for number in range(most)
        for cell in cells
        if number < (1 if cell.not_applicable else cell.config.repetitions)
    ]


def check(cells: Sequence[Cell]) -> None:
    """Raises OptionError for the first cell that cannot work."""
    for cell in cells:
        cell.config.check()
    for declaration in {cell.pipeline_digest: cell.config.pipeline for cell in cells}.values():
        pipeline.check(declaration)
    for cell in cells:
        if cell.config.output_dir and not cell.not_applicable:
            _check_outputs(cell, Path(cell.config.output_dir).expanduser().absolute())


@dataclass(frozen=True)
class Kept:
    """A cell's records so far, and the file that holds them."""

    rows: Measured
    path: Path


def measure_some(
    cell: Cell, surroundings: Surroundings, repetitions: range, kept: Kept | None
) -> Kept | None:
    """Measures some repetitions of a cell and stores them with the earlier ones; None when the cell
    is in the results already. A cell that is to leave its outputs somewhere is always measured."""
    results, name = Path(cell.config.results_dir).expanduser(), surroundings.name(cell)
    with store.turn(results):
        wanted = kept or cell.config.rerun or cell.config.output_dir
        if not wanted and store.finished(results, cell.experiment, name):
            return None
        rows = measure(cell, surroundings, repetitions)
        rows = kept.rows + rows if kept else rows
        own = kept.path if kept else None
        return Kept(rows, store.write(results, name, rows.marked, rows.tasks, rows.probes, own))


def _with_own_outputs(cells: list[Cell]) -> list[Cell]:
    """Where several cells keep their outputs, each does so in a folder of its own."""
    if len(cells) == 1:
        return cells
    return [
        replace(cell, config=replace(cell.config, output_dir=str(Path(cell.config.output_dir, cell.label))))
        if cell.config.output_dir
        else cell
        for cell in cells
    ]


def _check_outputs(cell: Cell, output_dir: Path) -> None:
    inputs = input_files(cell)
    if output_dir.resolve() in {path.parent.resolve() for path in inputs}:
        raise OptionError(f"output_dir={cell.config.output_dir}: holds the inputs; give another folder")
    if output_dir.exists() and not output_dir.is_dir():
        raise OptionError(f"output_dir={cell.config.output_dir}: not a folder")
    taken = [name for name in planned_outputs(cell, inputs) if (output_dir / name).exists()]
    if taken and not cell.config.overwrite:
        raise OptionError(
            f"output_dir={cell.config.output_dir}: {len(taken)} files of these names are there, such as "
            f"{taken[0]!a}; give another folder or overwrite=true"
        )


def summary(rows: Sequence[tuple[Cell, list[Trial]]]) -> str:
    """What came of each cell: for one cell its numbers, for more how many ended how; every failure
    by name; where the rows are."""
    statuses = Counter(_status(trials) for _, trials in rows)
    lines = [_numbers(*rows[0])] if len(rows) == 1 and not statuses[FAILED] else []
    lines += [", ".join(f"{count} {status}" for status, count in statuses.items()) + f" of {len(rows)} cells"]
    lines += [f"{cell.label} failed: {_error(trials)}" for cell, trials in rows if _status(trials) == FAILED]
    folders = {str(Path(cell.config.results_dir, "trials", cell.experiment)) for cell, _ in rows}
    if statuses[ALREADY]:
        lines += ["rerun=true measures again what is in the results already"]
    return "\n".join([*lines, f"rows: {', '.join(sorted(folders))}"])


def _status(trials: Sequence[Trial]) -> str:
    if not trials:
        return ALREADY
    return FAILED if any(trial.status == FAILED for trial in trials) else trials[0].status


def _error(trials: Sequence[Trial]) -> str:
    return next(trial.error or "" for trial in trials if trial.status == FAILED)


def _numbers(cell: Cell, trials: Sequence[Trial]) -> str:
    walls_s = [trial.wall_s for trial in trials if trial.status == OK and trial.wall_s]
    if not walls_s:
        return f"{cell.label}: {trials[0].error if trials else ALREADY}"
    first = next(trial for trial in trials if trial.status == OK)
    spread = f" ({min(walls_s):.2f} to {max(walls_s):.2f})" if len(walls_s) > 1 else ""
    digest = f", digest {first.outputs_digest[:12]}" if first.outputs_digest else ""
    return f"{cell.label}: {sum(walls_s) / len(walls_s):.2f} s{spread}, {first.outputs} outputs{digest}"
