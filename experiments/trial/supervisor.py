"""The outside of a trial: starts its process, watches it, ends it with everything it started."""

import json
import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import psutil

from augment.runtime import ONE_THREAD
from augment.strategies import Strategy
from augment.task_log import faults, reader
from augment.workload import Job
from experiments import ROOT
from experiments.trial.inside import JOB, OUTPUT, RESULT, Result
from experiments.trial.process_watch import exit_reason

Process = subprocess.Popen[bytes]
LOOK_S = 0.1  # between looks for a fault
GONE_S = 5.0  # within which killed processes are gone


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: a result, or the error that ended it; and every process's log."""

    result: Result | None
    error: str | None
    logs: list[reader.ProcessLog]


def run(strategy: Strategy, job: Job, folder: Path, timeout_s: float) -> Outcome:
    """One trial in a fresh process. Whatever happens, no process of it is left.

    `folder` is an empty one for the trial's own files; `job.logs` must lie in it."""
    faults.prepare(job.logs)
    (folder / JOB).write_bytes(pickle.dumps((strategy, job)))
    process = _started(folder, _environment(folder))
    try:
        error = _wait(process, job.logs, timeout_s)
    finally:
        _end(process, folder)
    logs = reader.read(job.logs)
    if error is None and (process.returncode or not (folder / RESULT).exists()):
        error = _cause(process, folder, logs)
    result = None if error else Result(**json.loads((folder / RESULT).read_text()))
    return Outcome(result, error, logs)


def _started(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "experiments.trial.inside", str(folder), str(os.getpid())]
    with open(folder / OUTPUT, "wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )


def _environment(folder: Path) -> dict[str, str]:
    """The trial's environment: one thread per numeric library, this code and the caller's own
    modules importable, temporary files (a manager's socket) where they are removed with the trial."""
    paths = [str(ROOT), os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    return (
        os.environ
        | dict.fromkeys(ONE_THREAD, "1")
        | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(folder)}
    )


def _wait(process: Process, logs: Path, timeout_s: float) -> str | None:
    """Waits for the end, a fault or the timeout; the fault reported until then, or the timeout.
    What is reported later may be the work of `_end`."""
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        if _has_ended(process.pid, min(LOOK_S, left_s)):
            return faults.reported(logs)
        if faults.reported(logs):
            time.sleep(LOOK_S)  # if a killed process is behind it, that is known in a moment
            return faults.reported(logs)
    under_way = [
        f"{header.role.name.lower()} {header.pid} at task {header.unfinished_task}"
        for header in reader.headers(logs)
        if header.unfinished_task
    ]
    return f"not done after trial_timeout_s={timeout_s:g}: " + ("; ".join(under_way) or "no task under way")


def _has_ended(pid: int, timeout_s: float) -> bool:
    """Whether a process ends within that time; whoever its parent is, and reaped or not."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(wait([process], max(0, timeout_s)))
    finally:
        os.close(process)


def _end(process: Process, folder: Path) -> None:
    """Kills what is left of the trial and waits until it is gone. multiprocessing's resource tracker goes
    last: when all others are dead it removes their named semaphores."""
    deadline = time.monotonic() + GONE_S
    while (family := _family(process, folder)) and time.monotonic() < deadline:
        trackers = [member for member in family if _is_tracker(member)]
        others = [member for member in family if member not in trackers]
        for member in others:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for member in others:
            _has_ended(member.pid, deadline - time.monotonic())
        for tracker in trackers:
            if not _has_ended(tracker.pid, GONE_S / 2):
                tracker.kill()
    process.wait()


def _family(process: Process, folder: Path) -> list[psutil.Process]:
    """The processes of a trial that are alive: those of its session, and those that have its folder in their
    environment, for a library may begin a session of its own (Ray)."""
    process.poll()  # that of the trial itself is ours to reap
    mark = f"TMPDIR={folder}\0".encode()
    family = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.NoSuchProcess):
            if os.getsid(pid) == process.pid or mark in Path(f"/proc/{pid}/environ").read_bytes():
                member = psutil.Process(pid)
                family += [member] if member.status() != psutil.STATUS_ZOMBIE else []
    return family


def _is_tracker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any("resource_tracker" in word for word in process.cmdline())
    return False


def _cause(process: Process, folder: Path, logs: list[reader.ProcessLog]) -> str:
    """Why a trial ended that reported no fault: a signal, or the last thing it printed."""
    own = [log.header for log in logs if log.header.pid == process.pid]
    header = max(own, key=lambda each: each.under_way, default=None)
    assert process.returncode is not None
    if process.returncode <= 0:
        return exit_reason(process.pid, process.returncode, header)
    lines = (folder / OUTPUT).read_text(errors="backslashreplace").strip().splitlines()
    return f"ended with status {process.returncode}: {lines[-1] if lines else 'it printed nothing'}"
