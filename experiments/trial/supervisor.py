"""The outside of a trial: starts its process, watches it, and ends it with everything it started."""

import json
import os
import pickle
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from augment.filesystem import printable
from augment.strategies import Strategy
from augment.task_log import faults, reader
from augment.task_log.faults import Fault
from augment.task_log.layout import DECODING, Header, Role
from augment.workload import Job
from experiments.trial.inside import JOB, RESULT
from experiments.trial.process import TrialProcess, waiting, waiting_process
from experiments.trial.process_watch import cause_of_death

Progress = Callable[[int], object]  # called with the number of finished outputs
POLL_S = 0.1  # between two looks for a fault
LOOK_S = 1.0  # between two counts of the finished tasks
KILL_TIMEOUT_S, LEAVE_S = 5.0, 0.01  # for killed processes to disappear, in steps


@dataclass(frozen=True)
class Outcome:
    """The logs of a trial's processes, and the error that ended it or what its own process has measured."""

    logs: list[reader.ProcessLog]
    error: str | None = None
    decoding: Sequence[int] = ()  # indices of images at which a decoder crashed or hung
    begin: float = 0.0  # of the timed region, on the clock of the logs
    columns: Mapping[str, Any] = field(default_factory=dict)  # of an ok trial
    conditions: Mapping[str, Any] = field(default_factory=dict)  # that it ran under


def run(strategy: Strategy, job: Job, folder: Path, stall_timeout_s: float, progress: Progress) -> Outcome:
    """Run one trial in a fresh process, and leave no process of it behind, whatever happens.

    `folder` is an empty one for the trial's own files; `job.logs` must lie in it. `progress` gets the
    number of finished outputs about once a second.
    """
    faults.prepare(job.logs)
    (folder / JOB).write_bytes(pickle.dumps((strategy, job)))
    process = waiting_process(job.workload.pipeline)
    waiting.clear()
    try:
        process.begin(folder)
        fault = _wait(process, job, stall_timeout_s, progress)
    finally:
        _end(process, folder)
    logs = reader.read(job.logs)
    if fault is None and (process.returncode or not (folder / RESULT).exists()):
        fault = _cause(process, logs)
    process.discard()
    if fault:
        named = ", ".join(printable(job.workload.inputs.names[index]) for index in fault.decoding)
        error = f"{fault.line}, decoding {named}" if named else fault.line
        return Outcome(logs, error, fault.decoding)
    return Outcome(logs, **json.loads((folder / RESULT).read_text()))


def _wait(process: TrialProcess, job: Job, stall_timeout_s: float, progress: Progress) -> Fault | None:
    """Wait for the end, a fault or a stall, and return the fault."""
    known, last_s = list[Any](), time.monotonic()
    next_look_s = last_s + LOOK_S
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
            break
        if faults.reported(job.logs):
            time.sleep(POLL_S)  # a killed process behind the fault is reported within this time
            break
        if (now_s := time.monotonic()) < min(next_look_s, last_s + stall_timeout_s):
            continue
        next_look_s, headers = now_s + LOOK_S, reader.headers(job.logs)
        if (tasks := [header[1:4] for header in headers]) != known:  # also images that are skipped
            known, last_s = tasks, now_s
            roles = {header.role for header in headers}
            last = Role.SAVER if Role.SAVER in roles else Role.WORKER  # outputs are those of savers, if any
            progress(sum(header.finished for header in headers if header.role is last))
        elif now_s - last_s >= stall_timeout_s:
            return _stall(headers, stall_timeout_s, job)
    return faults.reported(job.logs)


def _stall(headers: Sequence[Header], stall_timeout_s: float, job: Job) -> Fault:
    """Return the fault of a trial in which no task was finished for so long."""
    unfinished = [
        f"{header.role.name.lower()} {header.pid} at task {header.unfinished_task} of "
        + printable(job.workload.inputs.names[header.image_index])
        for header in headers
        if header.unfinished_task
    ]
    line = f"no task was finished for stall_timeout_s={stall_timeout_s:g}: "
    decoding = {header.image_index: None for header in headers if header.under_way == DECODING}
    return Fault(line + ("; ".join(unfinished) or "no task is under way"), tuple(decoding))


def _end(process: TrialProcess, folder: Path) -> None:
    """Kill the trial's processes and wait for their end; the resource tracker, which cleans up, ends last."""
    begin_s = time.monotonic()
    while (family := _family(process, folder)) and (spent_s := time.monotonic() - begin_s) < KILL_TIMEOUT_S:
        for member, is_tracker in family.items():
            if not is_tracker or spent_s > KILL_TIMEOUT_S / 2:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        time.sleep(LEAVE_S)
    process.wait()


def _family(process: TrialProcess, folder: Path) -> dict[psutil.Process, bool]:
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


def _cause(process: TrialProcess, logs: Sequence[reader.ProcessLog]) -> Fault:
    """Return why a trial without a reported fault ended: a signal, or the last line it printed."""
    if (status := process.wait()) > 0:
        return Fault(process.end_line())
    masters = [log.header for log in logs if log.header.pid == process.pid]
    death = cause_of_death(process.pid, status, max(masters, key=lambda each: each.under_way, default=None))
    is_alone = sum(master.under_way > 0 for master in masters) == 1  # else another thread may have crashed
    is_known = is_alone or not death.decoding
    return death if is_known else Fault(f"{death.line}; strategy=dynamic finds the file")
