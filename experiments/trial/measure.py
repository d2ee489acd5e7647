"""One trial of a cell, run in scratch folders; only outputs that are kept remain."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augment.filesystem import compact_paths, is_local
from augment.workload import Job, Workload
from experiments.config.cell import Cell
from experiments.machine import disturbance
from experiments.store.columns import OK
from experiments.trial import supervisor
from experiments.trial.row import measured_columns
from experiments.trial.scratch import distant_directory, scratch
from experiments.trial.tables import detail_tables

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Measurement:
    """The measured columns of a trial, its detail tables by name, and findings that may have spoilt it."""

    columns: dict[str, Any]
    details: Iterable[tuple[str, pa.Table]] = ()  # built one at a time: a million tasks take gigabytes
    findings: list[str] = field(default_factory=list)


def measure(cell: Cell, images: Sequence[Path], trial_id: str) -> Measurement:
    """Run one trial of a cell on these images. Raises OSError."""
    config, place = cell.config, cell.config.output_place
    complete = config.strategy.complete
    with scratch(Path(tempfile.gettempdir())) as folder, _output_folder(place) as output:
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


def workload(cell: Cell, images: Sequence[Path], output: Path | None) -> Workload:
    """Return the cell's work on these images."""
    config = cell.config
    return Workload(compact_paths(images), config.n_augmentations, config.pipeline, config.seed, output)


@contextmanager
def _output_folder(place: Path) -> Iterator[Path]:
    """Yield a scratch folder in a local place, or an address itself."""
    if is_local(place):
        with scratch(place) as folder:
            yield distant_directory(folder)
    else:
        yield place


def _job(cell: Cell, images: Sequence[Path], folder: Path, output: Path) -> Job:
    config = cell.config
    (folder / "logs").mkdir()
    work = workload(cell, images, output if config.saving else None)
    return Job(work, config.workers, config.runtime, folder / "logs", config.trace)
