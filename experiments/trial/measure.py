"""One trial of a cell, run in scratch folders of which only kept outputs remain, and its columns."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pyarrow as pa

from augment.filesystem import InputFiles, file_sizes, printable
from augment.task_log.layout import Role
from augment.task_log.reader import ProcessLog
from augment.temporary import distant_directory, temporary_folder
from augment.workload import Job, Workload
from experiments.config.cell import Cell
from experiments.config.options import Config
from experiments.machine.conditions import file_digest, listing_digest
from experiments.store.columns import FAILED, OK, RECORDED_TASKS
from experiments.trial import supervisor
from experiments.trial.tables import detail_tables

HASHED_OUTPUTS = 200  # of outputs that are kept: a sample, because hashing reads every file again


@dataclass(frozen=True)
class Measurement:
    """The measured columns of a trial, its detail tables by name, and findings that may have spoilt it."""

    columns: dict[str, Any]
    details: Iterable[tuple[str, pa.Table]] = ()  # built one at a time: a million tasks take gigabytes
    findings: list[str] = field(default_factory=list)
    decoding: Sequence[int] = ()  # see `supervisor.Outcome`
    conditions: Mapping[str, Any] = field(default_factory=dict)  # that an ok trial ran under


def measure(cell: Cell, work: Workload, trial_id: str, progress: supervisor.Progress) -> Measurement:
    """Run one trial of a cell on this work, which has no folder if it is not to be kept. Raises OSError."""
    config = cell.config
    with temporary_folder(Path(tempfile.gettempdir())) as folder, _outputs_of(config, work) as output:
        (folder / "logs").mkdir()
        is_traced = config.trace and not (work.output and work.n_tasks > RECORDED_TASKS)
        job = Job(replace(work, output=output), config.workers, config.runtime, folder / "logs", is_traced)
        outcome = supervisor.run(config.strategy, job, folder, config.stall_timeout_s, progress)
        columns = _measured_columns(outcome, job.workload, config.strategy.complete, bool(work.output))
    findings = _image_findings(outcome.logs, work)
    if config.trace and not is_traced:
        findings.append(f"tasks are not recorded, because they are more than {RECORDED_TASKS}")
    tables = detail_tables(outcome, trial_id, config.saving, config.strategy.complete)
    details = tables if columns["status"] == OK else ()
    return Measurement(columns, details, findings, outcome.decoding, outcome.conditions)


@contextmanager
def _outputs_of(config: Config, work: Workload) -> Iterator[Path | None]:
    """Yield the folder of a trial's outputs with its sub-folders; it is removed if the work names none."""
    if work.output or not config.saving:
        yield work.output
        return
    place = config.output_place
    place.mkdir(parents=True, exist_ok=True)
    with temporary_folder(place) as parent:
        folder = distant_directory(parent)
        replace(work, output=folder).make_folders()
        yield folder


def workload(cell: Cell, inputs: InputFiles) -> Workload:
    """Return the cell's work on these images, without a folder for outputs."""
    names = {each.name for each in fields(Workload)} & {each.name for each in fields(cell.config)}
    options = {name: getattr(cell.config, name) for name in names}
    return Workload(inputs=inputs, output=None, **options)


def _measured_columns(
    outcome: supervisor.Outcome, work: Workload, complete: bool, is_kept: bool
) -> dict[str, Any]:
    """Return status, times, memory and outputs of a trial; a `complete` strategy must write every output."""
    notes = {note.image_index: note.text for log in outcome.logs for note in log.notes if note.is_bad}
    bad = {work.inputs.names[index]: text for index, text in sorted({**work.bad_images, **notes}.items())}
    skipped = sum(work.first_task(index + 1) - work.first_task(index) for index in {*work.bad_images, *notes})
    columns: dict[str, Any] = {"tasks": work.n_tasks - skipped}
    # There may be fewer outputs than images.
    columns |= {"n_images": min(len(work.inputs) - len(bad), columns["tasks"])}
    columns |= {"skipped_images": json.dumps(bad) if bad else None, "skipped_tasks": skipped}
    if outcome.error is not None:
        return columns | {"status": FAILED, "error": outcome.error}
    if not columns["tasks"]:
        name, reason = next(iter(bad.items()))
        error = f"dataset: no usable image among {len(work.inputs)} files: {printable(name)}: {reason}, …"
        return columns | {"status": FAILED, "error": error}
    headers = [log.header for log in outcome.logs]
    workers = [header for header in headers if header.role in (Role.WORKER, Role.SAVER)]
    done = sum(header.finished for header in headers if header.role is Role.WORKER)
    due = columns["tasks"] - sum(work.done)
    if not workers or (complete and done < due):
        return columns | {"status": FAILED, "error": f"the strategy did {done} tasks of {due}"}
    masters = [log for log in outcome.logs if log.header.role is Role.MASTER]
    written = [log.tasks["end"][log.tasks["write"] > 0] for log in outcome.logs]
    last = max(float(ends.max(initial=0)) for ends in written)
    columns |= {
        **outcome.columns,
        "last_output_s": last - outcome.begin if last else None,
        "peak_rss_bytes": sum({header.process: header.peak_rss_bytes for header in headers}.values()),
        "processes": len({header.process for header in headers}),
        "savers": sum(header.role is Role.SAVER for header in headers) or None,
        "opencv_threads": max(header.opencv_threads for header in workers),
        "master_read_s": sum(float(log.tasks["read"].sum()) for log in masters),
    }
    return columns | _output_columns(work, {*bad}, complete, is_kept)


def _image_findings(logs: Sequence[ProcessLog], work: Workload) -> list[str]:
    """Return a line for each kind of warning about images."""
    images: dict[str, set[int]] = {}
    for note in (note for log in logs for note in log.notes if not note.is_bad):
        images.setdefault(note.text, set()).add(note.image_index)
    return [
        f"{printable(work.inputs.names[min(indices)])}: {text}"
        + (f" (and in {len(indices) - 1} more)" if len(indices) > 1 else "")
        for text, indices in sorted(images.items())
    ]


def _output_columns(workload: Workload, bad: Set[str], complete: bool, is_kept: bool) -> dict[str, Any]:
    if workload.output is None:
        return {"status": OK, "outputs": 0}
    usable = [index for index, name in enumerate(workload.inputs.names) if name not in bad]
    sizes, missing, count, output_bytes = output_sizes(workload), list[str](), 0, 0
    for name in workload.output_names(usable):  # no list: one of a million names would take 100 MB
        count, output_bytes = count + 1, output_bytes + sizes.get(name, 0)
        missing += [name] if name not in sizes else []
    columns = {"status": OK, "outputs": count - len(missing), "output_bytes": output_bytes}
    if not complete:
        return columns
    if missing:
        error = f"{len(missing)} of {count} outputs are missing: {missing[0]}, …"
        return columns | {"status": FAILED, "error": error}
    n_hashed = min(count, HASHED_OUTPUTS) if is_kept else count
    chosen = {k * count // n_hashed for k in range(n_hashed)}
    hashed = [name for number, name in enumerate(workload.output_names(usable)) if number in chosen]
    with ThreadPool() as pool:  # hashing lets other threads run
        digests = pool.map(file_digest, [workload.output / name for name in hashed])
    return columns | {
        "hashed_outputs": n_hashed,
        "distinct_outputs": len(set(digests)),
        "outputs_digest": listing_digest(zip(hashed, digests, strict=True)),
    }


def output_sizes(workload: Workload) -> dict[str, int]:
    """Return the bytes, by name, of the files that lie in the folders of the outputs. Raises OSError."""
    assert workload.output
    sizes: dict[str, int] = {}
    for folder in sorted({name.rpartition("/")[0] for name in workload.inputs.names}):
        with suppress(FileNotFoundError):
            files = file_sizes(workload.output / folder if folder else workload.output)
            sizes |= {f"{folder}/{name}" if folder else name: size for name, size in files.items()}
    return sizes
