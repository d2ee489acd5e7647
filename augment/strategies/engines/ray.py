"""Ray, on this machine or on a cluster."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from augment.image_io import error_line
from augment.option import OptionError, option
from augment.recording.log import Role
from augment.recording.processes import guarded
from augment.strategies.base import master
from augment.strategies.engines.base import Batch, Engine, batches
from augment.task_runner import TaskRunner, do_tasks
from augment.workload import Job

if TYPE_CHECKING:
    from augment.recording.remote import LogPiece

LOCAL = "local"
# Else it reports its use to its makers, and warns of graphics cards that it does not find.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
OBJECT_STORE_BYTES = 100 << 20  # only batches and logs travel
RETRIES = 3
AHEAD = 4  # batches for each worker, so that none waits for the master


class BatchError(OptionError):
    """A batch that failed on a node: the line that its process reported."""


@dataclass
class Ray(Engine):
    """Batches as Ray tasks: as many at a time as workers, and some more that wait where the cluster is the
    trial's own. A batch whose process or node dies is done again elsewhere, up to RETRIES times. Logs come
    back with the results: a node needs no folder of the trial's."""

    name: ClassVar[str] = "ray"
    label: ClassVar[str] = "Ray"
    color: ClassVar[str | None] = "#DDAA33"
    marker: ClassVar[str] = "X"
    package: ClassVar[str] = "ray"
    replaces_workers: ClassVar[bool] = True

    address: str = option("cluster: local (one of its own), auto (that of this machine) or host:port", LOCAL)

    def load(self) -> None:
        os.environ |= QUIET
        import ray  # noqa: F401

    def run(self, job: Job) -> None:
        import ray

        own: dict[str, Any] = {
            "num_cpus": job.workers,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": str(job.logs.parent / "ray"),
        }
        with master(job), guarded():
            is_local = self.address == LOCAL
            ray.init(
                self.address, log_to_driver=False, logging_level=logging.ERROR, **own if is_local else {}
            )
            try:
                for piece in _pieces(job, job.workers * (AHEAD if is_local else 1)):
                    piece.add_to(job.logs)
            finally:
                ray.shutdown()


def _pieces(job: Job, at_once: int) -> Iterator[LogPiece]:
    """What came of each batch, in the order they are done. Raises BatchError."""
    import ray

    do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do_batch)
    shared = ray.put(replace(job, profiles=None))
    waiting = iter(batches(job.workload, job.workers))
    running = {do.remote(shared, batch): batch for batch in islice(waiting, at_once)}
    while running:
        [done], _ = ray.wait(list(running))
        image, augmentations = running.pop(done)
        running |= {do.remote(shared, batch): batch for batch in islice(waiting, 1)}
        try:
            yield ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            tasks = f"tasks ({image}, {augmentations.start}) to ({image}, {augmentations.stop - 1})"
            raise BatchError(f"its process or node died {RETRIES + 1} times at {tasks}: {error}") from error


def _do_batch(job: Job, batch: Batch) -> LogPiece:
    """On a node: does a batch in a process that may have done others. Raises BatchError."""
    import ray

    runner, faults = _runner(str(job.logs), job)
    image, augmentations = batch
    try:
        do_tasks(runner, [(image, augmentation) for augmentation in augmentations])
    except Exception as error:
        raise BatchError(faults.pop() if faults else error_line(error)) from None
    return runner.piece(f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}")


_runners: dict[str, tuple[TaskRunner, list[str]]] = {}


def _runner(trial: str, job: Job) -> tuple[TaskRunner, list[str]]:
    """The runner of this process for a trial, and the faults that it reports."""
    if trial not in _runners:
        faults: list[str] = []
        with tempfile.TemporaryDirectory() as logs:  # an open log needs no folder
            numbers = job.logs if job.logs.is_dir() else Path(logs)
            runner = TaskRunner(replace(job, logs=Path(logs)), Role.WORKER, numbers)
        runner.report = faults.append
        _runners[trial] = runner, faults
    return _runners[trial]
