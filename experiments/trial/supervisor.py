"""The outside of a trial: starts its process, watches it, and ends it with everything it started."""

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

from augment.runtime import THREAD_COUNT_VARIABLES
from augment.strategies import Strategy
from augment.task_log import faults, reader
from augment.workload import Job
from experiments import ROOT
from experiments.trial.inside import JOB, OUTPUT, RESULT, Result
from experiments.trial.process_watch import exit_reason

Process = subprocess.Popen[bytes]
POLL_S = 0.1  # between two looks for a fault
KILL_TIMEOUT_S = 5.0  # for killed processes to disappear


@dataclass(frozen=True)
class Outcome:
    """A trial's result, or the error that ended it, and every process's log."""

    result: Result | None
    error: str | None
    logs: list[reader.ProcessLog]


def run(strategy: Strategy, job: Job, folder: Path, timeout_s: float) -> Outcome:
    """Run one trial in a fresh process, and leave no process of it behind, whatever happens.

    `folder` is an empty one for the trial's own files; `job.logs` must lie in it.
    """
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


def _started(folder: Path, environment: dict[str, str]) -> Process:
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
    """Return the variables: one thread per library, importable code, temporary files in `folder`."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    places = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1", "TMPDIR": str(folder)}
    return os.environ | dict.fromkeys(THREAD_COUNT_VARIABLES, "1") | places


def _wait(process: Process, logs: Path, timeout_s: float) -> str | None:
    """Wait for the end, a fault or the timeout; return the fault or the timeout's error."""
    deadline = time.monotonic() + timeout_s
    while (left_s := deadline - time.monotonic()) > 0:
        if _has_ended(process.pid, min(POLL_S, left_s)):
            return faults.reported(logs)
        if faults.reported(logs):
            time.sleep(POLL_S)  # a killed process behind the fault is reported within this time
            return faults.reported(logs)
    unfinished = [
        f"{header.role.name.lower()} {header.pid} at task {header.unfinished_task}"
        for header in reader.headers(logs)
        if header.unfinished_task
    ]
    return f"not done after trial_timeout_s={timeout_s:g}: " + ("; ".join(unfinished) or "no task under way")


def _has_ended(pid: int, timeout_s: float) -> bool:
    """Return whether a process ends within the timeout, whoever its parent is, and reaped or not."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(wait([process], max(0, timeout_s)))
    finally:
        os.close(process)


def _end(process: Process, folder: Path) -> None:
    """Kill the trial's processes and wait for their end; the resource tracker, which cleans up, ends last."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while (family := _family(process, folder)) and time.monotonic() < deadline:
        trackers = [member for member, is_tracker in family.items() if is_tracker]
        others = [member for member in family if member not in trackers]
        for member in others:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for member in others:
            _has_ended(member.pid, deadline - time.monotonic())
        for tracker in trackers:
            if not _has_ended(tracker.pid, KILL_TIMEOUT_S / 2):
                tracker.kill()
    process.wait()


def _family(process: Process, folder: Path) -> dict[psutil.Process, bool]:
    """Return a trial's living processes, by session or (Ray's) TMPDIR; True marks a resource tracker."""
    process.poll()  # reaps the trial's own process if it has ended
    mark = f"TMPDIR={folder}\0".encode()
    family = {}
    for pid in psutil.pids():
        with suppress(OSError, psutil.NoSuchProcess):
            if os.getsid(pid) == process.pid or mark in Path(f"/proc/{pid}/environ").read_bytes():
                member = psutil.Process(pid)
                if member.status() != psutil.STATUS_ZOMBIE:
                    family[member] = any("resource_tracker" in word for word in member.cmdline())
    return family


def _cause(process: Process, folder: Path, logs: list[reader.ProcessLog]) -> str:
    """Return why a trial without a reported fault ended: a signal, or the last line it printed."""
    masters = [log.header for log in logs if log.header.pid == process.pid]
    header = max(masters, key=lambda master: master.under_way, default=None)
    assert process.returncode is not None
    if process.returncode <= 0:
        return exit_reason(process.pid, process.returncode, header)
    lines = (folder / OUTPUT).read_text(errors="backslashreplace").strip().splitlines()
    return f"ended with status {process.returncode}: {lines[-1] if lines else 'it printed nothing'}"
