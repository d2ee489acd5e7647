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

from augment import fault, log
from augment.strategies import Strategy
from augment.workload import Job
from experiments.trial import JOB, RESULT, Result

ROOT = Path(__file__).resolve().parent.parent
LOOK_S = 0.1
GONE_S = 5.0
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: a result, or the error that ended it; and every process's log."""

    result: Result | None
    error: str | None
    logs: list[log.ReadLog]


def run(strategy: Strategy, job: Job, folder: Path, timeout_s: float) -> Outcome:
    """One trial in a fresh process. Whatever happens, no process of it is left.

    `folder` is an empty one for the trial's own files; `job.logs` must lie in it."""
    (folder / JOB).write_bytes(pickle.dumps((strategy, job)))
    command = [sys.executable, "-m", "experiments.trial", str(folder), str(os.getpid())]
    with open(folder / "output.txt", "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(folder),
            start_new_session=True,
        )
    try:
        error = _wait(process, job.logs, timeout_s)
    finally:
        _end(process)
    error = fault.reported(job.logs) or error
    if error is None and process.returncode:
        error = _cause(process.returncode, folder)
    if error is None:
        return Outcome(Result(**json.loads((folder / RESULT).read_text())), None, log.read(job.logs))
    return Outcome(None, error, log.read(job.logs))


def _environment(folder: Path) -> dict[str, str]:
    """The trial's environment: one thread per numeric library, this code and the caller's own
    modules importable, temporary files (a manager's socket) where they are removed with the trial."""
    paths = [str(ROOT), os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
    return (
        os.environ
        | dict.fromkeys(ONE_THREAD, "1")
        | {"PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(folder)}
    )


def _wait(process: subprocess.Popen[bytes], logs: Path, timeout_s: float) -> str | None:
    """Waits for the end, a fault or the timeout; the error in the last two cases."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
            return None
        if reported := fault.reported(logs):
            return reported
    under_way = [
        f"{one.role.name.lower()} {one.header['pid']} at task {one.unfinished_task}"
        for one in log.read(logs)
        if one.unfinished_task
    ]
    return f"not done after trial_timeout_s={timeout_s:g}: " + ("; ".join(under_way) or "no task under way")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills what is left of the trial's session and waits until it is gone."""
    deadline = time.monotonic() + GONE_S
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.005)
    process.wait()


def _cause(status: int, folder: Path) -> str:
    """Why a trial ended that reported no fault: a signal, or the last thing it printed."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}: the trial's master process"
    lines = (folder / "output.txt").read_text(errors="backslashreplace").strip().splitlines()
    return f"the master process ended with status {status}: {lines[-1] if lines else 'it printed nothing'}"
