"""Many cells, one after another: checked first, then measured and stored, then summed up."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from augment import pipeline
from augment.knob import KnobError
from experiments import store
from experiments.cell import Cell, with_baselines
from experiments.measure import Measured, Surroundings, input_files, measure, planned_outputs
from experiments.progress import Progress
from experiments.record import FAILED, OK, Trial

ALREADY = "already measured"


def run(cells: Sequence[Cell]) -> int:
    """Measures every cell that is not in the results yet and prints what came of them; returns the
    exit status, 1 when a cell failed. Raises KnobError, before anything is measured or written,
    when a cell cannot work."""
    cells = _with_own_outputs(with_baselines(cells))
    check(cells)
    surroundings = Surroundings()
    rows: list[tuple[Cell, list[Trial]]] = []
    with Progress(cells) as progress:
        for cell in cells:
            progress.begin(cell)
            begin = time.monotonic()
            measured = measure_once(cell, surroundings)
            progress.end(cell, measured, time.monotonic() - begin)
            rows.append((cell, measured.trials if measured else []))
    print(summary(rows))
    return int(any(trial.status == FAILED for _, trials in rows for trial in trials))


def check(cells: Sequence[Cell]) -> None:
    """Raises KnobError for the first cell that cannot work."""
    for cell in cells:
        cell.config.check()
    for declaration in {cell.pipeline_digest: cell.config.pipeline for cell in cells}.values():
        pipeline.check(declaration)
    for cell in cells:
        if cell.config.output_dir and not cell.obstacle:
            _check_outputs(cell, Path(cell.config.output_dir).expanduser().absolute())


def measure_once(cell: Cell, surroundings: Surroundings) -> Measured | None:
    """Measures and stores a cell, unless it is in the results already: then None. A cell that is
    to leave its outputs somewhere is always measured."""
    results, name = Path(cell.config.results_dir).expanduser(), surroundings.name(cell)
    with store.turn(results):
        wanted = cell.config.rerun or cell.config.output_dir
        if not wanted and store.finished(results, cell.experiment, name):
            return None
        measured = measure(cell, surroundings)
        store.write(results, name, measured.trials, measured.tasks)
    return measured


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
        raise KnobError(f"output_dir={cell.config.output_dir}: holds the inputs; give another folder")
    if output_dir.exists() and not output_dir.is_dir():
        raise KnobError(f"output_dir={cell.config.output_dir}: not a folder")
    taken = [name for name in planned_outputs(cell, inputs) if (output_dir / name).exists()]
    if taken and not cell.config.overwrite:
        raise KnobError(
            f"output_dir={cell.config.output_dir}: {len(taken)} files of these names are there, such as "
            f"{taken[0]!a}; give another folder or overwrite=true"
        )


def summary(rows: Sequence[tuple[Cell, list[Trial]]]) -> str:
    """What came of each cell: for one cell its numbers, for more how many ended how; every failure
    by name; where the rows are."""
    statuses = Counter(_status(trials) for _, trials in rows)
    lines = [_numbers(*row) for row in rows] if len(rows) == 1 else []
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
