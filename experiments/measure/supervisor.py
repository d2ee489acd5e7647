"""The outside of a trial: starts its process, watches it, ends it with everything it started."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from augment.recording import fault, log_reader
from augment.runtime import Runtime
from augment.strategies import Strategy
from augment.workload import Job
from experiments import ROOT
from experiments.measure.trial import JOB, RESULT, Result, obituary

LOOK_S = 0.1
GONE_S = 5.0
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: a result, or the error that ended it; and every process's log."""

    result: Result | None
    error: str | None
    logs: list[log_reader.ReadLog]


def run(strategy: Strategy, job: Job, folder: Path, timeout_s: float) -> Outcome:
    """One trial in a fresh process. Whatever happens, no process of it is left.

    `folder` is an empty one for the trial's own files; `job.logs` must lie in it."""
    fault.prepare(job.logs)
    (folder / JOB).write_bytes(pickle.dumps((strategy, job)))
    command = [sys.executable, "-m", "experiments.measure.trial", str(folder), str(os.getpid())]
    with open(folder / "output.txt", "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(folder, job.runtime),
            start_new_session=True,
        )
    try:
        error = _wait(process, job.logs, timeout_s)
    finally:
        _end(process)
    logs = log_reader.read(job.logs)
    error = error or fault.reported(job.logs)  # what is reported after the wait may be of `_end`'s making
    if error is None and (process.returncode or not (folder / RESULT).exists()):
        error = _cause(process, folder, logs)
    result = None if error else Result(**json.loads((folder / RESULT).read_text()))
    return Outcome(result, error, logs)


def _environment(folder: Path, runtime: Runtime) -> dict[str, str]:
    """The trial's environment: one thread per numeric library, this code and the caller's own
    modules importable, temporary files (a manager's socket) where they are removed with the trial."""
    paths = [str(ROOT), os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    return (
        os.environ
        | dict.fromkeys(ONE_THREAD, "1")
        | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(folder)}
        | runtime.environment()
    )


def _wait(process: subprocess.Popen[bytes], logs: Path, timeout_s: float) -> str | None:
    """Waits for the end, a fault or the timeout; the error in the last two cases."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
            return None
        if fault.reported(logs):
            time.sleep(LOOK_S)  # if a killed process is behind it, that is known in a moment
            return fault.reported(logs)
    under_way = [
        f"{one.role.name.lower()} {one.header['pid']} at task {one.unfinished_task}"
        for one in log_reader.read(logs)
        if one.unfinished_task
    ]
    return f"not done after trial_timeout_s={timeout_s:g}: " + ("; ".join(under_way) or "no task under way")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills what is left of the trial's session and waits until it is gone. multiprocessing's
    resource tracker goes last: when all others are dead it removes their named semaphores."""
    deadline = time.monotonic() + GONE_S
    if process.poll() is None:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        trackers = [one for one in family if _is_tracker(one)]
        for one in set(family) - set(trackers):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(trackers, timeout=GONE_S / 2)
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.005)
    process.wait()


def _is_tracker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any("resource_tracker" in word for word in process.cmdline())
    return False


def _cause(process: subprocess.Popen[bytes], folder: Path, logs: list[log_reader.ReadLog]) -> str:
    """Why a trial ended that reported no fault: a signal, or the last thing it printed."""
    own = next((one for one in logs if one.header["pid"] == process.pid), None)
    if process.returncode <= 0:
        return obituary(process.pid, process.returncode, own)
    lines = (folder / "output.txt").read_text(errors="backslashreplace").strip().splitlines()
    return f"ended with status {process.returncode}: {lines[-1] if lines else 'it printed nothing'}"
