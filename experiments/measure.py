"""One cell: prepares its inputs, runs its trials, makes the records."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import augment
from augment.knob import KnobError
from augment.task import error_line
from augment.workload import Job, Workload
from experiments import kernel, machine, preflight, watch
from experiments.cell import Cell, digest_of
from experiments.inputs import Inspected, usable
from experiments.record import FAILED, NOT_APPLICABLE, OK, Task, Trial
from experiments.rows import known_columns, measured_columns, row, tasks_of
from experiments.scratch import scratch


class Surroundings:
    """What all cells of a sweep share: the machine, the versions, the state of the code."""

    @cached_property
    def columns(self) -> dict[str, Any]:
        environment = machine.environment()
        return {
            "machine": machine.fingerprint(environment),
            "environment": json.dumps(environment),
            "usable_cpus": machine.usable_cpus(),
            "code_digest": machine.code_digest(Path(augment.__file__).parent),
            "git_commit": machine.git_commit(),
            **machine.versions(),
        }

    @cached_property
    def findings(self) -> list[str]:
        """What would spoil the sweep, as the machine is when this is asked first."""
        return preflight.machine_findings()

    def key(self, cell: Cell) -> str:
        """A cell's identity: a hash of everything that determines what it measures."""
        here = {key: value for key, value in self.columns.items() if key not in ("environment", "git_commit")}
        return digest_of(cell.determinants() | here)[:16]

    def name(self, cell: Cell) -> str:
        """The cell's file name, without extension."""
        return f"{cell.label}-{self.key(cell)}"


@dataclass(frozen=True)
class Measured:
    """Records of one cell, a trial for each repetition."""

    trials: list[Trial]
    tasks: list[Task]

    def __add__(self, later: Measured) -> Measured:
        return Measured(self.trials + later.trials, self.tasks + later.tasks)

    @property
    def marked(self) -> list[Trial]:
        """The trials, marked where the repetitions differ too much."""
        spread = kernel.spread_findings([trial.wall_s for trial in self.trials if trial.wall_s])
        return [replace(trial, warnings=_lines([trial.warnings, *spread])) for trial in self.trials]


def measure(cell: Cell, surroundings: Surroundings, repetitions: range) -> Measured:
    """Measures repetitions of a cell. Whatever goes wrong becomes a failed trial with its reason."""
    known = known_columns(cell, surroundings.columns, surroundings.key(cell))
    if cell.obstacle:
        return Measured([row(known, 0, status=NOT_APPLICABLE, error=cell.obstacle)], [])
    findings = surroundings.findings + preflight.cell_findings(cell)
    try:
        place = output_place(cell)
        inputs = inspected(cell, place)
        findings += _shortages(cell, inputs, place)
    except (KnobError, OSError) as error:
        return Measured([row(known, 0, status=FAILED, error=error_line(error))], [])
    known |= _input_columns(inputs, cell)
    both = [_trial(cell, inputs, known, number, findings) for number in repetitions]
    return Measured([trial for trial, _ in both], [task for _, tasks in both for task in tasks])


def output_place(cell: Cell) -> Path:
    """The folder, made if need be, on whose disk the cell's outputs are written."""
    config = cell.config
    place = Path(config.output_dir or config.scratch_dir or tempfile.gettempdir()).expanduser().absolute()
    place.mkdir(parents=True, exist_ok=True)
    return place


def input_files(cell: Cell) -> list[Path]:
    """The images of a cell's dataset, made where they are synthetic. Raises DatasetError."""
    config = cell.config
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    cached = Path(config.cache_dir or Path(base, "augment")).expanduser()
    files: list[Path] = config.dataset.files(config.n_images, config.size(), config.seed, cached)
    return [path.absolute() for path in files]


def inspected(cell: Cell, place: Path) -> Inspected:
    """The inputs, with their sizes; those that are no usable images are left out if the cell skips
    them. Raises KnobError that names every one of them if it does not, or if none remains."""
    files, config = tuple(input_files(cell)), cell.config
    if size := config.size():  # made at that size by the suite itself
        return Inspected(files, (size,) * len(files), {})
    kept = place if config.saving else None
    found = _looked_into(
        files, config.max_image_pixels, kept, config.n_augmentations, json.dumps(config.pipeline)
    )
    listed = "; ".join(f"{name!r}: {reason}" for name, reason in found.bad.items())
    if not found.good:
        raise KnobError(f"dataset: none of {len(files)} files is a usable image: {listed}")
    if found.bad and config.on_bad_image == "fail":
        raise KnobError(
            f"on_bad_image=fail: {len(found.bad)} of {len(files)} files are no usable images: {listed}"
        )
    return found


# One look serves every cell of a sweep.
_looked_into = cache(usable)


def _shortages(cell: Cell, inputs: Inspected, place: Path) -> list[str]:
    lacking = preflight.shortages(cell, inputs.sizes, [path.suffix for path in inputs.good], place)
    if lacking and cell.config.on_shortage == "refuse":
        raise KnobError(f"{'; '.join(lacking)}; on_shortage=warn tries all the same")
    return lacking


def planned_outputs(cell: Cell, inputs: Sequence[Path]) -> Iterator[str]:
    """The names of all files that the cell will write."""
    workload = Workload(tuple(inputs), cell.config.n_augmentations, {}, 0, None)
    return (workload.output_name(*task) for task in workload.tasks())


def _trial(
    cell: Cell, inputs: Inspected, known: dict[str, Any], repetition: int, findings: list[str]
) -> tuple[Trial, list[Task]]:
    started_at, before_s = datetime.now(UTC), kernel.kernel_s()
    try:
        measured, outcome = _watched(cell, inputs)
    except OSError as error:  # no room for the trial's own files
        return row(known, repetition, started_at=started_at, status=FAILED, error=error_line(error)), []
    after_s = kernel.kernel_s()
    warnings = [*findings, *_threads_at_fork(outcome), *kernel.findings(before_s, after_s)]
    moment = {"started_at": started_at, "kernel_before_s": before_s, "kernel_after_s": after_s}
    trial = row(known, repetition, warnings=_lines(warnings), **moment, **measured)
    return trial, list(tasks_of(trial, outcome))


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
