"""Ray, on this machine or on a cluster."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from augment.filesystem import printable
from augment.images import error_line
from augment.options import OptionError, option
from augment.strategies.base import master
from augment.strategies.engines.executors import Batch, Engine, batches, run_batch
from augment.task_log.layout import HEADER, Header, Role
from augment.task_runner import TaskRunner
from augment.workload import Job

LOCAL = "local"
# Ray otherwise reports its use to its makers, and warns of graphics cards that it does not find.
QUIET_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
# Without the first one, Ray takes the address of the network instead of the loopback one that it is given.
LOCAL_ENVIRONMENT = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
OBJECT_STORE_BYTES = 100 << 20  # enough, because only batches and logs travel

RETRIES = 3
LONGEST_FOLDER_BYTES = 107 - 68  # to which Ray adds 68; a socket's path has at most 107 (unix(7))
# A line on stdin ends it. The end of stdin means that its parent, `$0`, died.
GUARD = 'read _ || { kill -s KILL -- "-$0"; sleep 1; rm -rf "$1"; }'
BATCHES_AHEAD = 4  # submitted batches for each worker, so that no worker waits for the master


class BatchError(OptionError):
    """A batch that failed on a node, with the line that its process reported."""


@dataclass
class Ray(Engine):
    """Batches as Ray tasks, with a few more submitted than there are workers.

    A batch whose process or node dies is done again elsewhere, up to RETRIES times. Logs come back with
    the results, so that a node needs no folder of the trial.
    """

    name = "ray"
    label = "Ray"
    package = "ray"
    late_modules = (
        "ray",
        "ray._common.pydantic_compat",
        "ray._common.usage.usage_lib",
        "ray._private.arrow_serialization",
        "ray._private.runtime_env.uv_runtime_env_hook",
        "ray._private.thirdparty.pynvml",
        "ray.autoscaler.v2.utils",
        "ray.dag.compiled_dag_node",
        "ray.dashboard.optional_deps",
        "pyarrow.json",
        "pydantic.v1.fields",
    )
    address: str = option("cluster: local (one of its own), auto (that of this machine) or host:port", LOCAL)

    @property
    def on_this_machine(self) -> bool:
        return self.address == LOCAL

    def load(self) -> None:
        os.environ |= QUIET_ENVIRONMENT | (LOCAL_ENVIRONMENT if self.on_this_machine else {})
        super().load()

    def run(self, job: Job) -> None:
        import ray

        with master(job), _session_folder(job.logs.parent) as folder, _guarded(folder):
            options: dict[str, Any] = {}
            if self.on_this_machine:
                options = {
                    "num_cpus": job.workers,
                    "include_dashboard": False,
                    "object_store_memory": OBJECT_STORE_BYTES,
                    "_temp_dir": str(folder),
                    "_node_ip_address": "127.0.0.1",
                }
                token = job.logs.parent / "ray_token"  # in a folder that only this user can enter
                token.write_text(token_hex(32))
                os.environ["RAY_AUTH_TOKEN_PATH"] = str(token)
            # Ray puts the current folder before all others, where a module may have a name of the suite's.
            with chdir(folder.parent if self.on_this_machine else "."):
                ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR, **options)
            try:
                for delta in _run_batches(job, job.workers * (BATCHES_AHEAD if self.on_this_machine else 1)):
                    delta.append_to(job.logs)
            finally:
                ray.shutdown()


@contextmanager
def _session_folder(trial: Path) -> Iterator[Path]:
    """Yield a folder for Ray's sockets: in the trial's folder if the paths are short enough there."""
    if len(str(trial / "ray")) <= LONGEST_FOLDER_BYTES:
        yield trial / "ray"
        return
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """End this process's group and remove `folder` if this process is killed meanwhile.

    Ray's agents would outlive it by up to 72 s, although the kernel ends its other processes. A group that
    another process began is left alone.
    """
    if os.getpgrp() != os.getpid():
        yield
        return
    command = ["sh", "-c", GUARD, str(os.getpid()), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            yield
        finally:
            guard.communicate(b"\n")


def _run_batches(job: Job, at_once: int) -> Iterator[LogDelta]:
    """Yield what each batch added to its process's log, in the order of completion. Raises BatchError."""
    import ray

    remote = ray.remote(num_cpus=1, max_retries=RETRIES)(_run_batch)
    shared = ray.put((job, os.getcwd()))
    waiting = batches(job.workload, job.workers)
    running = {remote.remote([shared], batch): batch for batch in islice(waiting, at_once)}
    while running:
        [done], _ = ray.wait(list(running))
        image, augmentations = running.pop(done)
        running |= {remote.remote([shared], batch): batch for batch in islice(waiting, 1)}
        try:
            yield ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            tasks = f"tasks ({image}, {augmentations[0]}) to ({image}, {augmentations[-1]})"
            tasks += f" of {printable(job.workload.inputs.names[image])}"
            raise BatchError(f"its process or node died {RETRIES + 1} times at {tasks}: {error}") from error


def _run_batch(shared: list[Any], batch: Batch) -> LogDelta:
    """Run a batch on a node and return what its process's log gained. Raises BatchError."""
    import ray

    runner, fault_lines = _runner(*shared)
    try:
        run_batch(batch, runner)
    except (Exception, SystemExit) as error:
        raise BatchError(fault_lines.pop() if fault_lines else error_line(error)) from None
    node = f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:8]}"
    return LogDelta(node, *boot_and_clock(), *runner.log.drain())


@cache  # for later batches, because a job may name many files
def _runner(shared: Any) -> tuple[TaskRunner, list[str]]:
    """Return this process's runner of a job that the master has put, and the fault lines it reports."""
    import ray

    fault_lines: list[str] = []
    job, folder = ray.get(shared)
    sys.path.append(folder)  # a pipeline may name a user's class
    with tempfile.TemporaryDirectory() as logs:  # an open log needs no folder
        runner = TaskRunner(replace(job, logs=Path(logs)), Role.WORKER)
    runner.report = fault_lines.append
    return runner, fault_lines


class LogDelta(NamedTuple):
    """The header of a process's log, and the blocks that the log gained since the last delta."""

    node: str
    boot: str  # of its machine: processes of one boot have one clock
    clock_ahead_s: float
    header: bytes
    blocks: bytes

    def append_to(self, logs: Path) -> None:
        """Append it to the log of its process; times of another machine are as right as its time of day."""
        header, (boot, ahead_s) = Header._make(HEADER.unpack(self.header)), boot_and_clock()
        shift_s = 0.0 if boot == self.boot else ahead_s - self.clock_ahead_s
        path = logs / f"{self.node.replace('/', '-')}-{header.thread}.log"
        with open(path, "r+b" if path.exists() else "xb") as file:
            file.write(HEADER.pack(*header._replace(shift_s=shift_s, node=self.node.encode()[:64])))
            file.seek(0, os.SEEK_END)
            file.write(self.blocks)


def boot_and_clock() -> tuple[str, float]:
    """Return the boot of this machine, and the seconds by which its counter is ahead of its time of day."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    return boot, time.perf_counter() - time.time()
