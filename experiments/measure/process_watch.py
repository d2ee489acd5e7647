"""Which process of a trial died, of what and during which task: looked for from inside the trial."""

import signal
import time
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from augment.recording import fault, log_reader
from augment.recording.log import Header
from augment.recording.processes import PROCESSES

LOOK_FOR_NEW_S = 0.25  # how long a process may live before its death is noticed at once


def watch_processes(logs: Path) -> None:
    """Reports the first process of the strategy that dies instead of ending: Pool would start
    another and wait for ever for the lost task. Sleeps except when a process ends."""
    ended: set[BaseProcess] = set()
    while True:
        running = {
            sentinel: each for each in PROCESSES if each not in ended and (sentinel := _sentinel(each))
        }
        ready = wait(list(running), timeout=LOOK_FOR_NEW_S)
        for process in [running[sentinel] for sentinel in running if sentinel in ready]:
            ended.add(process)
            report_if_dead(process, logs)


def _sentinel(process: BaseProcess) -> int | None:
    """What is ready when the process has ended; None where it has not been started yet."""
    try:
        return process.sentinel
    except ValueError:
        return None


def report_if_dead(process: BaseProcess, logs: Path) -> None:
    """Reports a process that has ended without completing its log."""
    header = next((header for header in log_reader.headers(logs) if header.pid == process.pid), None)
    # Never started; or asking for its status would compete with the strategy's own asking.
    if process.pid is None or (header and header.ended):
        return
    status = _status(process)
    if header or status != 0:
        is_killed = status is not None and status < 0 and status != -signal.SIGTERM  # which Pool sends
        severity = fault.Severity.KILLED if is_killed else fault.Severity.ENDED
        fault.report(logs, exit_reason(process.pid, status, header), severity)


def _status(process: BaseProcess) -> int | None:
    """The exit status of a process that has ended; the strategy's own thread may be about to reap it."""
    deadline = time.monotonic() + LOOK_FOR_NEW_S
    while process.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return process.exitcode


def exit_reason(pid: int | None, status: int | None, header: Header | None) -> str:
    """Which process ended of what and during which task, from its exit status and its log's header."""
    if status is not None and status < 0:
        reason = f"killed by {signal.Signals(-status).name}"
    else:
        reason = f"ended early with status {status}"
    role = header.role.name.lower() if header else "process"
    task = header.unfinished_task if header else None
    return f"{reason}: {role} {pid} " + (f"at task {task}" if task else "between tasks")
