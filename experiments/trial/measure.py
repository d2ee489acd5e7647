"""One trial of a cell, run in scratch folders of which only kept outputs remain, and its columns."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from augment.filesystem import InputFiles, file_sizes, is_local, read_bytes
from augment.task_log.layout import Role
from augment.workload import Job, Workload
from experiments.config.cell import Cell
from experiments.machine import disturbance
from experiments.store.columns import FAILED, OK
from experiments.trial import supervisor
from experiments.trial.scratch import distant_directory, scratch
from experiments.trial.tables import detail_tables


@dataclass(frozen=True)
class Measurement:
    """The measured columns of a trial, its detail tables by name, and findings that may have spoilt it."""

    columns: dict[str, Any]
    details: Iterable[tuple[str, pa.Table]] = ()  # built one at a time: a million tasks take gigabytes
    findings: list[str] = field(default_factory=list)


def measure(cell: Cell, images: InputFiles, trial_id: str) -> Measurement:
    """Run one trial of a cell on these images. Raises OSError."""
    config, place = cell.config, cell.config.output_place
    complete = config.strategy.complete
    scratch_place = scratch(place) if is_local(place) else nullcontext(place)
    with scratch(Path(tempfile.gettempdir())) as folder, scratch_place as parent:
        output = distant_directory(parent) if is_local(place) else parent
        job = _job(cell, images, folder, output)
        before_s = disturbance.kernel_s()
        outcome = supervisor.run(config.strategy, job, folder, config.trial_timeout_s)
        after_s = disturbance.kernel_s()
        columns = measured_columns(outcome, job, complete)
        columns |= {"kernel_before_s": before_s, "kernel_after_s": after_s}
        if config.output_dir and complete and columns["status"] == OK and output != place:
            for name in job.workload.output_names():
                os.replace(output / name, place / name)
    findings = disturbance.drift_findings(before_s, after_s)
    return Measurement(columns, detail_tables(outcome, trial_id, config.saving, complete), findings)


def workload(cell: Cell, images: InputFiles, output: Path | None) -> Workload:
    """Return the cell's work on these images."""
    config = cell.config
    return Workload(images, config.n_augmentations, config.pipeline, config.seed, output)


def _job(cell: Cell, images: InputFiles, folder: Path, output: Path) -> Job:
    config = cell.config
    (folder / "logs").mkdir()
    work = workload(cell, images, output if config.saving else None)
    return Job(work, config.workers, config.runtime, folder / "logs", config.trace)


def measured_columns(outcome: supervisor.Outcome, job: Job, complete: bool) -> dict[str, Any]:
    """Return status, times, memory and outputs of a trial; a `complete` strategy must write every output."""
    if outcome.result is None:
        return {"status": FAILED, "error": outcome.error}
    result, headers = outcome.result, [log.header for log in outcome.logs]
    workers = [header for header in headers if header.role in (Role.WORKER, Role.SAVER)]
    masters = [log for log in outcome.logs if log.header.role is Role.MASTER]
    columns = {
        **result.columns,
        "peak_rss_bytes": sum({header.process: header.peak_rss_bytes for header in headers}.values()),
        "processes": len({header.process for header in headers}),
        "savers": sum(header.role is Role.SAVER for header in headers) or None,
        "opencv_threads": max(header.opencv_threads for header in workers),
        "master_read_s": sum(float(log.tasks["read"].sum()) for log in masters),
    }
    return columns | _output_columns(job.workload, complete)


def _output_columns(workload: Workload, complete: bool) -> dict[str, Any]:
    if workload.output is None:
        return {"status": OK, "outputs": 0}
    expected = sorted(workload.output_names())
    sizes = file_sizes(workload.output)
    present = [name for name in expected if name in sizes]
    if not complete:
        return {"status": OK, "outputs": len(present)}
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        digests = list(pool.map(_file_digest, (workload.output / name for name in present)))
    columns = {
        "status": OK,
        "outputs": len(present),
        "distinct_outputs": len(set(digests)),
        "outputs_digest": outputs_digest(zip(present, digests, strict=True)),
    }
    if missing := [name for name in expected if name not in sizes]:
        error = f"{len(missing)} of {len(expected)} outputs are missing: {missing[0]}, …"
        columns |= {"status": FAILED, "error": error}
    return columns


def _file_digest(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def outputs_digest(digests: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of the sorted lines `{file name} {SHA-256 of its bytes}`."""
    lines = hashlib.sha256()
    for name, digest in sorted(digests):
        lines.update(f"{name} {digest}\n".encode("utf-8", "surrogateescape"))
    return lines.hexdigest()
