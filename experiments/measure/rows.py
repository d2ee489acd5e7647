"""Rows of trials: what is known of one before it is measured, and what came of it."""

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from augment.location import is_local, listed, read_bytes
from augment.option import determining
from augment.pipeline import class_paths
from augment.recording.log import Role
from augment.workload import Job, Workload
from experiments.host.provenance import source_digest
from experiments.inputs.vetting import Vetted
from experiments.measure import supervisor
from experiments.measure.cell_files import file_system, output_place
from experiments.plan.cell import Cell
from experiments.plan.command import command
from experiments.records.schema import FAILED, OK, digest_of

LIBRARY = "albumentations."  # its version is a column; other classes count by their source


def planned_columns(cell: Cell) -> dict[str, Any]:
    """The columns of a trial that its configuration says."""
    config = cell.config
    width, height = config.size() or (None, None)
    return {
        **determining(config),
        "experiment": cell.experiment,
        "command": command(cell),
        "protocol": cell.protocol,
        "ablation": cell.ablation,
        "strategy": cell.strategy,
        "strategy_options": json.dumps(determining(config.strategy), sort_keys=True),
        "runtime_name": cell.runtime,
        "runtime": json.dumps(determining(config.runtime), sort_keys=True),
        "dataset": cell.dataset,
        "dataset_options": json.dumps(asdict(config.dataset), sort_keys=True),
        "pipeline": cell.pipeline,
        "pipeline_digest": pipeline_digest(config.pipeline),
        "repetitions": config.repetitions,
        "order_seed": config.order_seed,
        "width": width,
        "height": height,
        "scratch_dir": config.scratch_dir,
        "output_dir": str(output_place(cell)) if config.output_dir else None,
        "output_file_system": file_system(output_place(cell)) if config.saving else None,
    }


def input_columns(inputs: Vetted, n_augmentations: int) -> dict[str, Any]:
    """The columns of a trial that its images say."""
    width, height = inputs.sizes[0] if len(set(inputs.sizes)) == 1 else (None, None)
    return {
        "inputs": str(inputs.good[0].parent),
        "width": width,
        "height": height,
        "n_images": len(inputs.good),
        "tasks": len(inputs.good) * n_augmentations,
        "skipped_images": json.dumps(inputs.bad) if inputs.bad else None,
    }


def pipeline_digest(pipeline: Any) -> str:
    """SHA-256 of a pipeline's declaration and of the source of the user's own classes in it."""
    classes = sorted({path for path in class_paths(pipeline) if not path.startswith(LIBRARY)})
    return digest_of([pipeline, [(path, source_digest(path)) for path in classes]])


def measured_columns(outcome: supervisor.Outcome, job: Job, complete: bool = True) -> dict[str, Any]:
    """Status, times, memory and outputs of a trial; counts the outputs against the tasks of a strategy that
    is `complete`."""
    if outcome.result is None:
        return {"status": FAILED, "error": outcome.error}
    result, headers = outcome.result, [log.header for log in outcome.logs]
    workers = [header for header in headers if header.role in (Role.WORKER, Role.SAVER)]
    masters = [log for log in outcome.logs if log.header.role is Role.MASTER]
    columns = {
        "wall_s": result.wall_s,
        "cpu_user_s": result.cpu_user_s,
        "cpu_system_s": result.cpu_system_s,
        "peak_rss_bytes": sum({header.process: header.peak_rss_bytes for header in headers}.values()),
        "processes": len({header.process for header in headers}),
        "savers": sum(header.role is Role.SAVER for header in headers) or None,
        "opencv_threads": max(header.opencv_threads for header in workers),
        "worker_threads": max(header.os_threads for header in workers),
        "start_method": result.start_method,
        "master_threads_cpu_s": result.threads_cpu_s,
        "master_sent_bytes": result.sent_bytes,
        "master_read_s": sum(float(log.tasks["read"].sum()) for log in masters),
        **result.besides,
    }
    return columns | _output_columns(job.workload, complete)


def _output_columns(workload: Workload, complete: bool) -> dict[str, Any]:
    if workload.output is None:
        return {"status": OK, "outputs": 0}
    expected = sorted(workload.output_names())
    sizes = listed(workload.output)
    present = [name for name in expected if name in sizes]
    if not complete:
        return {"status": OK, "outputs": len(present)}
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        digests = list(pool.map(_file_digest, (workload.output / name for name in present)))
    columns = {
        "status": OK,
        "outputs": len(present),
        "distinct_outputs": len(set(digests)),
        "output_bytes": sum(sizes[name] for name in present),
        "outputs_digest": outputs_digest(zip(present, digests, strict=True)),
    }
    if missing := [name for name in expected if name not in sizes]:
        error = f"{len(missing)} of {len(expected)} outputs are missing: {missing[0]}, …"
        columns |= {"status": FAILED, "error": error}
    return columns


def _file_digest(path: Path) -> str:
    if not is_local(path):
        return hashlib.sha256(read_bytes(path)).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def outputs_digest(digests: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted lines `{file name} {SHA-256 of its bytes}`: equal exactly when every
    file is equal byte for byte."""
    lines = hashlib.sha256()
    for name, digest in sorted(digests):
        lines.update(f"{name} {digest}\n".encode("utf-8", "surrogateescape"))
    return lines.hexdigest()
