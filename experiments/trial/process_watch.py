"""Which process of a trial died, of what and during which task: looked for from inside the trial."""

import signal
import time
from collections.abc import Set
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from augment.task_log import faults, reader
from augment.task_log.layout import Header
from augment.task_log.processes import PROCESSES

LOOK_FOR_NEW_S = 0.25  # how long a process may live before its death is noticed at once


def watch_processes(logs: Path) -> None:
    """Reports the first process of the trial that dies instead of ending: Pool would start another and wait
    for ever for the lost task. Sleeps except when a process ends."""
    known: set[BaseProcess] = set()
    while True:
        known |= report_dead(logs, known, LOOK_FOR_NEW_S)


def report_dead(logs: Path, known: Set[BaseProcess] = frozenset(), timeout_s: float = 0) -> set[BaseProcess]:
    """Reports what has died of the processes that are not known to have ended, and returns all that have
    ended; waits so long for the first one."""
    running = {sentinel: each for each in PROCESSES if each not in known and (sentinel := _sentinel(each))}
    ready = wait(list(running), timeout_s)
    ended = {running[sentinel] for sentinel in running if sentinel in ready}
    # Last those that an executor may have killed for the others.
    for process in sorted(ended, key=lambda each: _status(each) == -signal.SIGKILL):
        report_if_dead(process, logs)
    return ended


def _sentinel(process: BaseProcess) -> int | None:
    """What is ready when the process has ended; None where it is not started yet, or closed already."""
    try:
        return process.sentinel
    except ValueError:
        return None


def report_if_dead(process: BaseProcess, logs: Path) -> None:
    """Reports a process that has ended without completing its log."""
    header = next((header for header in reader.headers(logs) if header.pid == process.pid), None)
    # Never started; or asking for its status would compete with the strategy's own asking.
    if process.pid is None or (header and header.ended):
        return
    status = _status(process)
    if header or status != 0:
        faults.report(logs, exit_reason(process.pid, status, header), _severity(status, header))


def _severity(status: int | None, header: Header | None) -> faults.Severity:
    """How much the end of a process explains, from its exit status and its log's header."""
    if status is None or status == -signal.SIGTERM:  # which Pool sends
        return faults.Severity.ENDED
    if status < 0:
        return faults.Severity.KILLED
    return faults.Severity.LEFT if header and header.unfinished_task else faults.Severity.ENDED


def _status(process: BaseProcess) -> int | None:
    """The exit status of a process that has ended; the strategy's own thread may be about to reap it."""
    deadline = time.monotonic() + LOOK_FOR_NEW_S
    with suppress(ValueError):  # a library has closed it
        while process.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return process.exitcode
    return None


def exit_reason(pid: int | None, status: int | None, header: Header | None) -> str:
    """Which process ended of what and during which task, from its exit status and its log's header."""
    if status is not None and status < 0:
        reason = f"killed by {signal.Signals(-status).name}"
    else:
        reason = f"ended early with status {status}"
    role = header.role.name.lower() if header else "process"
    task = header.unfinished_task if header else None
    return f"{reason}: {role} {pid} " + (f"at task {task}" if task else "between tasks")
