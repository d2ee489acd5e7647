"""The watch over a trial's processes, from inside the trial: which died, how, and during which task."""

import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector

from augment.task_log import faults, reader
from augment.task_log.faults import Fault
from augment.task_log.layout import DECODING, Header

Started = tuple[int, BaseProcess]  # with its pid, which cannot be asked for after `BaseProcess.close`
PROCESSES: list[Started] = []  # that this one has started, itself or by a library
SIGNALS = {each.value: each.name for each in signal.Signals}
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
WAIT_S = 0.25  # the longest time before a new process is watched


def record_started_processes() -> None:
    """Enter every process that multiprocessing starts from now on in PROCESSES."""
    start = BaseProcess.start

    def start_recorded(process: BaseProcess) -> None:
        start(process)
        PROCESSES.append((process.pid or 0, process))

    BaseProcess.start = start_recorded  # type: ignore[method-assign, assignment]


def watch_processes(logs: Path) -> None:
    """Report every process of the trial that dies; never return.

    Without the report, Pool would replace a dead worker and wait forever for its task (cpython#96062). The
    watch is part of the timed region: each process is registered once and costs nothing until it ends.
    """
    running, n_registered = DefaultSelector(), 0
    while True:
        for started in PROCESSES[n_registered:]:
            n_registered += 1
            with suppress(ValueError):  # a library has closed it
                running.register(started[1].sentinel, EVENT_READ, started)
        report([running.unregister(key.fd).data for key, _ in running.select(WAIT_S)], logs)


def report(ended: Sequence[Started], logs: Path) -> None:
    """Report those of the ended processes that have not completed their logs.

    Killed ones come last: an executor may have killed them because another one died.
    """
    headers = {pid: next(iter(reader.headers(logs, f"{pid}.log")), None) for pid, _ in ended}
    # After a complete log no status is read: that would compete with the strategy, which waits for it too.
    dead = [each for each in ended if not ((header := headers[each[0]]) and header.ended)]
    for pid, process in sorted(dead, key=lambda each: _status(each[1]) == -signal.SIGKILL):
        status, header = _status(process), headers[pid]
        severity = faults.Severity.ENDED
        if status is not None and status < 0 and status != -signal.SIGTERM:  # which Pool sends
            severity = faults.Severity.KILLED
        elif status is not None and status >= 0 and header and header.unfinished_task:
            severity = faults.Severity.LEFT
        if header or status != 0:
            death = cause_of_death(pid, status, header)
            faults.report(logs, death.line, severity, *death.decoding)


def cause_of_death(pid: int, status: int | None, header: Header | None) -> Fault:
    """Return how a process ended and during which task, from its exit status and its log's header.

    SIGKILL is no crash of a decoder, because it comes from outside: from a person, or for lack of memory.
    """
    if status is not None and status < 0:
        reason = f"killed by {SIGNALS.get(-status, f'signal {-status}')}"  # real-time ones have no name
    else:
        reason = f"ended early with status {'unknown, or still running' if status is None else status}"
    role = header.role.name.lower() if header else "process"
    task = header.unfinished_task if header else None
    line = f"{reason}: {role} {pid} " + (f"at task {task}" if task else "between tasks")
    is_crash = status is not None and -status in CRASHES
    return Fault(line, (header.image_index,) if header and is_crash and header.under_way == DECODING else ())


def _status(process: BaseProcess) -> int | None:
    """Return the exit status of an ended process; None if the strategy's thread has taken it."""
    deadline = time.monotonic() + WAIT_S
    with suppress(ValueError):  # a library has closed it
        while process.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return process.exitcode
    return None
