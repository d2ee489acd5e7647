"""Ray, on this machine or on a cluster."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
LONGEST = 107 - 68  # bytes of a folder's path: of a socket's, less what Ray puts behind it
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

    @property
    def on_this_machine(self) -> bool:
        return self.address == LOCAL

    def memory_bytes(self, workers: int, image_bytes: Sequence[int], n_augmentations: int) -> int:
        """Of this machine."""
        here = workers if self.on_this_machine else 0
        return super().memory_bytes(here, image_bytes, n_augmentations)

    def load(self) -> None:
        os.environ |= QUIET
        import ray  # noqa: F401

    def run(self, job: Job) -> None:
        import ray

        own: dict[str, Any] = {
            "num_cpus": job.workers,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
        with master(job), _short_folder(job.logs.parent) as folder, guarded(folder):
            own = own | {"_temp_dir": str(folder)} if self.on_this_machine else {}
            ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR, **own)
            try:
                for piece in _pieces(job, job.workers * (AHEAD if self.on_this_machine else 1)):
                    piece.add_to(job.logs)
            finally:
                ray.shutdown()


@contextmanager
def _short_folder(trial: Path) -> Iterator[Path]:
    """Where Ray keeps its sockets, whose paths the kernel limits: in the trial's folder, or where that lies
    deep, in one of its own."""
    if len(str(trial / "ray")) <= LONGEST:
        yield trial / "ray"
        return
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _pieces(job: Job, at_once: int) -> Iterator[LogPiece]:
    """What came of each batch, in the order they are done. Raises BatchError."""
    import ray

    do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do_batch)
    shared = ray.put(replace(job, profiles=None))
    waiting = batches(job.workload, job.workers)
    running = {do.remote([shared], batch): batch for batch in islice(waiting, at_once)}
    while running:
        [done], _ = ray.wait(list(running))
        image, augmentations = running.pop(done)
        running |= {do.remote([shared], batch): batch for batch in islice(waiting, 1)}
        try:
            yield ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            tasks = f"tasks ({image}, {augmentations.start}) to ({image}, {augmentations.stop - 1})"
            raise BatchError(f"its process or node died {RETRIES + 1} times at {tasks}: {error}") from error


def _do_batch(shared: list[Any], batch: Batch) -> LogPiece:
    """On a node: does a batch in a process that may have done others, and then knows the job (whose names of
    files may be many). Raises BatchError."""
    import ray

    runner, faults = _runner(*shared)
    image, augmentations = batch
    try:
        do_tasks(runner, [(image, augmentation) for augmentation in augmentations])
    except (Exception, SystemExit) as error:
        raise BatchError(faults.pop() if faults else error_line(error)) from None
    return runner.piece(f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}")


_runners: dict[Any, tuple[TaskRunner, list[str]]] = {}


def _runner(shared: Any) -> tuple[TaskRunner, list[str]]:
    """The runner of this process for a job that the master has put, and the faults that it reports."""
    import ray

    if shared not in _runners:
        faults: list[str] = []
        job = ray.get(shared)
        with tempfile.TemporaryDirectory() as logs:  # an open log needs no folder
            numbers = job.logs if job.logs.is_dir() else Path(logs)
            runner = TaskRunner(replace(job, logs=Path(logs)), Role.WORKER, numbers)
        runner.report = faults.append
        _runners[shared] = runner, faults
    return _runners[shared]
