"""One cell: prepares its inputs, runs its trials, makes the records."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from augment.option import OptionError
from augment.task_runner import error_line
from augment.workload import Job, Workload
from experiments.host import calibration as kernel
from experiments.inputs.vetting import Inspected
from experiments.measure import preflight
from experiments.measure import supervisor as watch
from experiments.measure.cell_files import inspected, output_place
from experiments.measure.rows import known_columns, measured_columns, probes_of, row, tasks_of
from experiments.measure.scratch import scratch
from experiments.measure.surroundings import Surroundings
from experiments.plan.cell import Cell
from experiments.records.schema import FAILED, NOT_APPLICABLE, OK, Probe, Task, Trial


@dataclass(frozen=True)
class Measured:
    """Records of one cell, a trial for each repetition."""

    trials: list[Trial]
    tasks: list[Task] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def __add__(self, later: Measured) -> Measured:
        return Measured(self.trials + later.trials, self.tasks + later.tasks, self.probes + later.probes)

    @property
    def marked(self) -> list[Trial]:
        """The trials, marked where the repetitions differ too much."""
        spread = kernel.spread_findings([trial.wall_s for trial in self.trials if trial.wall_s])
        return [replace(trial, warnings=_lines([trial.warnings, *spread])) for trial in self.trials]


def measure(cell: Cell, surroundings: Surroundings, repetitions: range) -> Measured:
    """Measures repetitions of a cell. Whatever goes wrong becomes a failed trial with its reason."""
    known = known_columns(cell, surroundings.columns, surroundings.key(cell))
    if cell.not_applicable:
        return Measured([row(known, 0, status=NOT_APPLICABLE, error=cell.not_applicable)])
    findings = surroundings.findings + preflight.cell_findings(cell)
    try:
        place = output_place(cell)
        inputs = inspected(cell, place)
        findings += _shortages(cell, inputs, place)
    except (OptionError, OSError) as error:
        return Measured([row(known, 0, status=FAILED, error=error_line(error))])
    known |= _input_columns(inputs, cell)
    return sum((_trial(cell, inputs, known, number, findings) for number in repetitions), Measured([]))


def _shortages(cell: Cell, inputs: Inspected, place: Path) -> list[str]:
    lacking = preflight.shortages(cell, inputs.sizes, [path.suffix for path in inputs.good], place)
    if lacking and cell.config.on_shortage == "refuse":
        raise OptionError(f"{'; '.join(lacking)}; on_shortage=warn tries all the same")
    return lacking


def _trial(
    cell: Cell, inputs: Inspected, known: dict[str, Any], repetition: int, findings: list[str]
) -> Measured:
    started_at, before_s = datetime.now(UTC), kernel.kernel_s()
    try:
        measured, outcome = _watched(cell, inputs)
    except OSError as error:  # no room for the trial's own files
        failed = row(known, repetition, started_at=started_at, status=FAILED, error=error_line(error))
        return Measured([failed])
    after_s = kernel.kernel_s()
    warnings = [*findings, *_threads_at_fork(outcome), *kernel.findings(before_s, after_s)]
    moment = {"started_at": started_at, "kernel_before_s": before_s, "kernel_after_s": after_s}
    trial = row(known, repetition, warnings=_lines(warnings), **moment, **measured)
    return Measured([trial], list(tasks_of(trial, outcome)), list(probes_of(trial, outcome)))


def _watched(cell: Cell, inputs: Inspected) -> tuple[dict[str, Any], watch.Outcome]:
    """Runs a trial in scratch folders, keeps of them what is to be kept."""
    config, place = cell.config, output_place(cell)
    with scratch(Path(tempfile.gettempdir())) as folder, scratch(place) as output:
        job = _job(cell, inputs.good, folder, output)
        outcome = watch.run(config.strategy, job, folder, config.trial_timeout_s)
        measured = measured_columns(outcome, job)
        if config.output_dir and measured["status"] == OK:
            _publish(job.workload, place)
        if outcome.result and job.profiles:
            _keep_profiles(job.profiles, cell)
    return measured, outcome


def _job(cell: Cell, inputs: tuple[Path, ...], folder: Path, output: Path) -> Job:
    config = cell.config
    workload = Workload(
        inputs, config.n_augmentations, config.pipeline, config.seed, output if config.saving else None
    )
    (logs := folder / "logs").mkdir()
    if config.profile:
        (folder / "profiles").mkdir()
    profiles = folder / "profiles" if config.profile else None
    return Job(workload, config.workers, config.runtime, logs, config.trace, profiles)


def _input_columns(inputs: Inspected, cell: Cell) -> dict[str, Any]:
    sizes = set(inputs.sizes)
    width, height = sizes.pop() if len(sizes) == 1 else (None, None)
    return {
        "inputs": str(inputs.good[0].parent),
        "width": width,
        "height": height,
        "n_images": len(inputs.good),
        "tasks": len(inputs.good) * cell.config.n_augmentations,
        "skipped_images": json.dumps(inputs.bad) if inputs.bad else None,
    }


def _threads_at_fork(outcome: watch.Outcome) -> list[str]:
    """What a forked process inherits of another thread's locks stays locked for ever."""
    result = outcome.result
    if result is None or result.start_method != "fork" or result.threads_before <= 1:
        return []
    return [f"{result.threads_before} threads were alive before the fork"]


def _lines(findings: Sequence[str | None]) -> str | None:
    return "\n".join(filter(None, findings)) or None


def _publish(workload: Workload, output_dir: Path) -> None:
    """Gives the augmented images of a trial that went well their place in `output_dir`."""
    assert workload.output is not None
    for task in workload.tasks():
        name = workload.output_name(*task)
        os.replace(workload.output / name, output_dir / name)


def _keep_profiles(profiles: Path, cell: Cell) -> None:
    kept = Path(cell.config.results_dir, "profiles", cell.label)
    kept.mkdir(parents=True, exist_ok=True)
    for path in profiles.iterdir():
        (kept / path.name).write_bytes(path.read_bytes())
