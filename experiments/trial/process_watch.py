"""The watch over a trial's processes, from inside the trial: which died, how, and during which task."""

import signal
import time
from collections.abc import Set
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from augment.task_log import faults, reader
from augment.task_log.layout import DECODING, Header

PROCESSES: list[BaseProcess] = []  # that this one has started, itself or by a library
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
WAIT_S = 0.25  # the longest time before a new process is watched


def record_started_processes() -> None:
    """Enter every process that multiprocessing starts from now on in PROCESSES."""
    start = BaseProcess.start

    def start_recorded(process: BaseProcess) -> None:
        PROCESSES.append(process)
        start(process)

    BaseProcess.start = start_recorded  # type: ignore[method-assign, assignment]


def watch_processes(logs: Path) -> None:
    """Report every process of the trial that dies; never return.

    Without the report, Pool would replace a dead worker and wait forever for its task (cpython#96062).
    """
    ended: set[BaseProcess] = set()
    while True:
        ended |= report_dead(logs, ended, WAIT_S)


def report_dead(logs: Path, known: Set[BaseProcess] = frozenset(), timeout_s: float = 0) -> set[BaseProcess]:
    """Wait up to `timeout_s` for a process not in `known` to end; report and return those that did."""
    running = {}
    for process in set(PROCESSES) - known:
        with suppress(ValueError):  # it is not started yet, or a library has closed it
            running[process.sentinel] = process
    ready = wait(list(running), timeout_s)
    ended = {process for end, process in running.items() if end in ready}
    # Killed ones last: an executor may have killed them because another one died.
    for process in sorted(ended, key=lambda process: _status(process) == -signal.SIGKILL):
        report_if_dead(process, logs)
    return ended


def report_if_dead(process: BaseProcess, logs: Path) -> None:
    """Report a process that ended without completing its log."""
    header = next((header for header in reader.headers(logs) if header.pid == process.pid), None)
    # After a complete log no status is read: that would compete with the strategy, which waits for it too.
    if process.pid is None or (header and header.ended):
        return
    status, severity = _status(process), faults.Severity.ENDED
    if status is not None and status < 0 and status != -signal.SIGTERM:  # which Pool sends
        severity = faults.Severity.KILLED
    elif status is not None and status >= 0 and header and header.unfinished_task:
        severity = faults.Severity.LEFT
    if header or status != 0:
        reason = exit_reason(process.pid, status, header)
        faults.report(logs, reason, severity, decoding_crash(status, header))


def decoding_crash(status: int | None, header: Header | None) -> int | None:
    """Return the index of the image that a decoder crashed at; None if it was no crash of a decoder.

    SIGKILL is none, because it comes from outside: from a person, or for lack of memory.
    """
    is_crash = status is not None and -status in CRASHES
    return header.image_index if header and is_crash and header.under_way == DECODING else None


def _status(process: BaseProcess) -> int | None:
    """Return the exit status of an ended process; None if the strategy's thread has taken it."""
    deadline = time.monotonic() + WAIT_S
    with suppress(ValueError):  # a library has closed it
        while process.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return process.exitcode
    return None


def exit_reason(pid: int | None, status: int | None, header: Header | None) -> str:
    """Return how a process ended and during which task, from its exit status and its log's header."""
    if status is not None and status < 0:
        reason = f"killed by {signal.Signals(-status).name}"
    else:
        reason = f"ended early with status {status}"
    role = header.role.name.lower() if header else "process"
    task = header.unfinished_task if header else None
    return f"{reason}: {role} {pid} " + (f"at task {task}" if task else "between tasks")
