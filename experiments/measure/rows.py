"""Records from what was measured: the columns of a cell's trials, and its tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from augment.recording.log import PROBING, STAGES, Role, Transforms
from augment.recording.log_reader import ReadLog
from augment.strategies.instruments.probes import PROBES
from augment.workload import Job, Workload
from experiments.measure import supervisor as watch
from experiments.plan.cell import Cell
from experiments.records.schema import FAILED, OK, Probe, Task, Trial


def row(known: dict[str, Any], repetition: int, **rest: Any) -> Trial:
    columns: dict[str, Any] = {"repetition": repetition, "started_at": datetime.now(UTC)}
    return Trial(**(columns | known | rest))


def known_columns(cell: Cell, surroundings: dict[str, Any], key: str) -> dict[str, Any]:
    """The columns of a trial that are known before anything is measured."""
    config, size = cell.config, cell.config.size() or (None, None)
    names = ("workers", "saving", "repetitions", "n_augmentations", "seed", "trace", "profile")
    return (
        {name: getattr(config, name) for name in names}
        | {
            name: getattr(cell, name)
            for name in ("experiment", "strategy", "dataset", "pipeline", "protocol", "ablation")
        }
        | {
            "cell": key,
            "strategy_options": json.dumps(cell.strategy_options),
            "dataset_options": json.dumps(cell.dataset_options),
            "pipeline_digest": cell.pipeline_digest,
            "runtime": json.dumps(asdict(config.runtime)),
            "width": size[0],
            "height": size[1],
            "scratch_dir": config.scratch_dir,
            "output_dir": config.output_dir and str(Path(config.output_dir).expanduser().absolute()),
            "n_images": config.n_images,
            "oversubscribed": config.workers > surroundings["usable_cpus"],
        }
        | surroundings
    )


def measured_columns(outcome: watch.Outcome, job: Job) -> dict[str, Any]:
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
        "master_threads_cpu_s": outcome.result.threads_cpu_s,
        "master_sent_bytes": outcome.result.sent_bytes,
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


def tasks_of(trial: Trial, outcome: watch.Outcome) -> Iterable[Task]:
    """The task records of a trial, none of a failed one: workers' entries, joined with the savers'."""
    if outcome.result is None:
        return
    begin = outcome.result.begin
    saved = {_task(entry): (number, entry) for number, entry, _ in _entries(outcome.logs, Role.SAVER)}
    for worker, entry, transforms in _entries(outcome.logs, Role.WORKER):
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
            **{f"{stage}_s": float(sum(part[stage] for part in parts)) for stage in STAGES},
            transforms_s=_by_name(transforms),
            cpu_user_s=float(sum(part["user"] for part in parts)),
            cpu_system_s=float(sum(part["system"] for part in parts)),
            minor_faults=int(sum(part["faults"] for part in parts)),
            run_queue_wait_s=float(sum(part["wait"] for part in parts)),
            saver_cpu_user_s=None if saving is None else float(saving["user"]),
            saver_cpu_system_s=None if saving is None else float(saving["system"]),
            saver_minor_faults=None if saving is None else int(saving["faults"]),
            saver_run_queue_wait_s=None if saving is None else float(saving["wait"]),
        )


def _entries(logs: list[ReadLog], role: Role) -> Iterable[tuple[int, Any, Transforms | None]]:
    """The finished tasks of all processes of a role and the transforms applied, after the number of the
    process among the workers and savers, in the order they began."""
    for number, one in _numbered(logs):
        if one.role == role:
            for entry, transforms in zip(one.done, one.transforms, strict=False):
                if entry["augmentation_index"] >= 0:
                    yield number, entry, transforms


def _numbered(logs: list[ReadLog]) -> Iterable[tuple[int, ReadLog]]:
    return enumerate(one for one in logs if one.role in (Role.WORKER, Role.SAVER))


def probes_of(trial: Trial, outcome: watch.Outcome) -> Iterable[Probe]:
    """What the probes that ran between the tasks of a trial took, none of a failed one."""
    if outcome.result is None:
        return
    names, begin = tuple(PROBES), outcome.result.begin
    for worker, one in _numbered(outcome.logs):
        for entry in one.done[one.done["augmentation_index"] <= PROBING]:
            yield Probe(
                experiment=trial.experiment,
                cell=trial.cell,
                repetition=trial.repetition,
                probe=names[PROBING - int(entry["augmentation_index"])],
                worker=worker,
                start_s=float(entry["start"]) - begin,
                end_s=float(entry["end"]) - begin,
                cpu_user_s=float(entry["user"]),
                cpu_system_s=float(entry["system"]),
                minor_faults=int(entry["faults"]),
            )


def _by_name(transforms: Transforms | None) -> str | None:
    """The seconds of each transform as JSON; of a name that occurs again, their sum."""
    if transforms is None:
        return None
    seconds: dict[str, float] = {}
    for name, taken in transforms:
        seconds[name] = seconds.get(name, 0.0) + taken
    return json.dumps({name: round(total, 9) for name, total in seconds.items()})  # its clock ticks in ns


def _task(entry: Any) -> tuple[int, int]:
    return int(entry["image_index"]), int(entry["augmentation_index"])
