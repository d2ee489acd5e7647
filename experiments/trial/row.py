"""The columns of a trial that its measurement yields."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from augment.filesystem import file_sizes, read_bytes
from augment.task_log.layout import Role
from augment.workload import Job, Workload
from experiments.store.columns import FAILED, OK
from experiments.trial import supervisor


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
        "worker_threads": max(header.os_threads for header in workers),
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
        "output_bytes": sum(sizes[name] for name in present),
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
