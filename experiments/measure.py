"""One cell: prepares its inputs, runs its trials, makes the records."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import augment
from augment.log import READING, ReadLog, Role
from augment.workload import Job, Workload
from experiments import machine, watch
from experiments.cell import Cell, digest_of
from experiments.record import FAILED, NOT_APPLICABLE, OK, Task, Trial
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

    def key(self, cell: Cell) -> str:
        """A cell's identity: a hash of everything that determines what it measures."""
        here = {key: value for key, value in self.columns.items() if key not in ("environment", "git_commit")}
        return digest_of(cell.determinants() | here)[:16]

    def name(self, cell: Cell) -> str:
        """The cell's file name, without extension."""
        return f"{cell.label}-{self.key(cell)}"


@dataclass(frozen=True)
class Measured:
    """The records of one cell, a trial for each repetition."""

    trials: list[Trial]
    tasks: list[Task]


def measure(cell: Cell, surroundings: Surroundings) -> Measured:
    """Measures a cell. Whatever goes wrong in it becomes a failed trial, except what keeps every
    cell from being measured (no scratch space)."""
    known = _known_columns(cell, surroundings)
    if cell.obstacle:
        return Measured([_row(known, 0, status=NOT_APPLICABLE, error=cell.obstacle)], [])
    try:
        inputs = tuple(input_files(cell))
    except ValueError as error:
        return Measured([_row(known, 0, status=FAILED, error=str(error))], [])
    known |= _input_columns(inputs, cell)
    trials, tasks = [], []
    for repetition in range(cell.config.repetitions):
        trial, its_tasks = _trial(cell, inputs, known, repetition)
        trials.append(trial)
        tasks += its_tasks
    return Measured(trials, tasks)


def input_files(cell: Cell) -> list[Path]:
    """The images of a cell's dataset, made where they are synthetic. Raises DatasetError."""
    config = cell.config
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    cache = Path(config.cache_dir or Path(base, "augment")).expanduser()
    files: list[Path] = config.dataset.files(config.n_images, config.size(), config.seed, cache)
    return [path.absolute() for path in files]


def planned_outputs(cell: Cell, inputs: Sequence[Path]) -> Iterator[str]:
    """The names of all files that the cell will write."""
    workload = Workload(tuple(inputs), cell.config.n_augmentations, {}, 0, None)
    return (workload.output_name(*task) for task in workload.tasks())


def _trial(
    cell: Cell, inputs: tuple[Path, ...], known: dict[str, Any], repetition: int
) -> tuple[Trial, list[Task]]:
    config = cell.config
    place = Path(config.output_dir or config.scratch_dir or tempfile.gettempdir()).expanduser().absolute()
    place.mkdir(parents=True, exist_ok=True)
    with scratch(Path(tempfile.gettempdir())) as folder, scratch(place) as output:
        job = _job(cell, inputs, folder, output)
        started_at = datetime.now(UTC)
        outcome = watch.run(config.strategy, job, folder, config.trial_timeout_s)
        measured = _measured_columns(outcome, job)
        if outcome.result and config.output_dir and measured["status"] == OK:
            _publish(job.workload, place)
        if outcome.result and job.profiles:
            _keep_profiles(job.profiles, cell)
    trial = _row(known, repetition, started_at=started_at, **measured)
    return trial, list(_tasks(trial, outcome)) if outcome.result else []


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


def _row(known: dict[str, Any], repetition: int, **rest: Any) -> Trial:
    columns: dict[str, Any] = {"repetition": repetition, "started_at": datetime.now(UTC)}
    return Trial(**(columns | known | rest))


def _known_columns(cell: Cell, surroundings: Surroundings) -> dict[str, Any]:
    """The columns that are known before anything is measured."""
    config, size = cell.config, cell.config.size() or (None, None)
    names = ("workers", "saving", "repetitions", "n_augmentations", "seed", "trace", "profile")
    return (
        {name: getattr(config, name) for name in names}
        | {
            name: getattr(cell, name)
            for name in ("experiment", "strategy", "dataset", "pipeline", "protocol")
        }
        | {
            "cell": surroundings.key(cell),
            "strategy_options": json.dumps(cell.strategy_options),
            "dataset_options": json.dumps(cell.dataset_options),
            "pipeline_digest": cell.pipeline_digest,
            "runtime": json.dumps(asdict(config.runtime)),
            "width": size[0],
            "height": size[1],
            "output_dir": config.output_dir and str(Path(config.output_dir).expanduser().absolute()),
            "n_images": config.n_images,
            "oversubscribed": config.workers > surroundings.columns["usable_cpus"],
        }
        | surroundings.columns
    )


def _input_columns(inputs: tuple[Path, ...], cell: Cell) -> dict[str, Any]:
    return {
        "inputs": str(inputs[0].parent),
        "n_images": len(inputs),
        "tasks": len(inputs) * cell.config.n_augmentations,
    }


def _measured_columns(outcome: watch.Outcome, job: Job) -> dict[str, Any]:
    """Status, times, memory and outputs of a trial; counts the outputs against the tasks."""
    if outcome.result is None:
        return {"status": FAILED, "error": outcome.error}
    headers = [one.header for one in outcome.logs]
    workers = [one.header for one in outcome.logs if one.role in (Role.WORKER, Role.SAVER)]
    columns = {
        "wall_s": outcome.result.wall_s,
        "cpu_user_s": outcome.result.cpu_user_s,
        "cpu_system_s": outcome.result.cpu_system_s,
        "peak_rss_bytes": sum(header["peak_rss_bytes"] for header in headers),
        "processes": len(headers),
        "savers": sum(one.role == Role.SAVER for one in outcome.logs) or None,
        "opencv_threads": max(header["opencv_threads"] for header in workers),
        "worker_threads": max(header["os_threads"] for header in workers),
        "start_method": outcome.result.start_method,
        "master_read_s": sum(
            float(one.done["read"].sum()) for one in outcome.logs if one.role == Role.MASTER
        ),
    }
    return columns | _output_columns(job.workload)


def _output_columns(workload: Workload) -> dict[str, Any]:
    if workload.output is None:
        return {"status": OK, "outputs": 0}
    expected = [workload.output_name(*task) for task in workload.tasks()]
    there = [name for name in sorted(expected) if (workload.output / name).is_file()]
    digests = {name: hashlib.sha256((workload.output / name).read_bytes()).hexdigest() for name in there}
    columns = {
        "outputs": len(there),
        "output_bytes": sum((workload.output / name).stat().st_size for name in there),
        "outputs_digest": outputs_digest(digests.items()),
    }
    if missing := [name for name in expected if name not in digests]:
        return columns | {
            "status": FAILED,
            "error": f"{len(missing)} of {len(expected)} outputs are missing: {missing[0]}, …",
        }
    return columns | {"status": OK}


def outputs_digest(digests: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted lines `{file name} {SHA-256 of its bytes}`: equal exactly when every
    file is equal byte for byte."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


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


def _tasks(trial: Trial, outcome: watch.Outcome) -> Iterable[Task]:
    """The task records of a trial: each worker's entries, joined with those of the saver."""
    assert outcome.result is not None
    begin = outcome.result.begin
    saved = {_task(entry): (number, entry) for number, entry in _entries(outcome.logs, Role.SAVER)}
    for worker, entry in _entries(outcome.logs, Role.WORKER):
        saver, saving = saved.get(_task(entry), (None, None))
        parts = [entry] if saving is None else [entry, saving]
        yield Task(
            experiment=trial.experiment,
            cell=trial.cell,
            repetition=trial.repetition,
            image_index=int(entry["image_index"]),
            augmentation_index=int(entry["augmentation_index"]),
            worker=worker,
            saver=worker if saving is None and trial.saving else saver,
            start_s=float(entry["start"]) - begin,
            save_start_s=None if saving is None else float(saving["start"]) - begin,
            end_s=float(parts[-1]["end"]) - begin,
            **{
                f"{stage}_s": float(sum(part[stage] for part in parts))
                for stage in ("read", "transform", "send", "encode", "write")
            },
            cpu_user_s=float(sum(part["user"] for part in parts)),
            cpu_system_s=float(sum(part["system"] for part in parts)),
            minor_faults=int(sum(part["faults"] for part in parts)),
        )


def _entries(logs: list[ReadLog], role: Role) -> Iterable[tuple[int, Any]]:
    """The finished tasks of all processes of a role, with the number of the process among the
    workers and savers, in the order they began."""
    workers = [one for one in logs if one.role in (Role.WORKER, Role.SAVER)]
    for number, one in enumerate(workers):
        if one.role == role:
            yield from ((number, entry) for entry in one.done if entry["augmentation_index"] != READING)


def _task(entry: Any) -> tuple[int, int]:
    return int(entry["image_index"]), int(entry["augmentation_index"])
