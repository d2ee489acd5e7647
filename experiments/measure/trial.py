"""The inside of a trial: one fresh process that times one strategy on one job.

Started by the supervisor as `python -m experiments.measure.trial FOLDER PARENT_PID`; finds
`job.pickle` in the folder and leaves `result.json` there, or a fault beside the logs."""

import json
import os
import pickle
import resource
import signal
import sys
import threading
import time
from cProfile import Profile
from dataclasses import asdict, dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, Self

from augment.pipeline import check
from augment.recording import fault, log_reader
from augment.recording.processes import STARTED
from augment.runtime import die_with_parent, os_threads
from augment.strategies import Strategy
from augment.task_runner import error_line
from augment.workload import Job

JOB, RESULT = "job.pickle", "result.json"
LOOK_FOR_NEW_S = 0.25  # how long a process may live before its death is noticed at once


@dataclass(frozen=True)
class Result:
    """What the process that timed a strategy knows about it."""

    begin: float  # the clock of the logs at the begin of the timed region
    wall_s: float
    cpu_user_s: float
    cpu_system_s: float
    threads_cpu_s: float  # of this process's other threads
    sent_bytes: int  # that this process wrote, to pipes and sockets above all
    start_method: str | None
    threads_before: int  # alive when the strategy began, the watching one not counted


def main(folder: Path, parent_pid: int) -> None:
    die_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the sweep that started this trial has ended")
    strategy, job = pickle.loads((folder / JOB).read_bytes())
    threading.Thread(target=watch_processes, args=(job.logs,), daemon=True).start()
    try:
        check(job.workload.pipeline)  # also imports the libraries, before the clock runs
        result = timed(strategy, job)
        for process in STARTED:  # a strategy may return without looking at how its processes ended
            _report_if_dead(process, job.logs)
    except BaseException as error:
        fault.report(job.logs, error_line(error))
        raise
    (folder / RESULT).write_text(json.dumps(asdict(result)))


def timed(strategy: Strategy, job: Job) -> Result:
    """Runs the strategy: the one timed region of the suite."""
    profile = Profile() if job.profiles else None
    threads_before = os_threads() - 1
    before = _Counters.now()
    begin = time.perf_counter()
    if profile:
        profile.runcall(strategy.run, job)
    else:
        strategy.run(job)
    wall_s = time.perf_counter() - begin
    after = _Counters.now()
    if profile and job.profiles:
        profile.dump_stats(job.profiles / "master.pstats")
    user_s, system_s, threads_s, sent = (late - early for late, early in zip(after, before, strict=True))
    methods = {str(process._start_method) for process in STARTED}  # type: ignore[attr-defined]
    method = ",".join(sorted(methods)) or None
    return Result(begin, wall_s, user_s, system_s, threads_s, int(sent), method, threads_before)


class _Counters(NamedTuple):
    """What this process and its ended children have used so far."""

    user_s: float
    system_s: float
    threads_s: float
    written_bytes: float

    @classmethod
    def now(cls) -> Self:
        own, thread = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_THREAD))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        others_s = own.ru_utime + own.ru_stime - thread.ru_utime - thread.ru_stime
        written = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["wchar"]
        return cls(own.ru_utime + children.ru_utime, own.ru_stime + children.ru_stime, others_s, int(written))


def watch_processes(logs: Path) -> None:
    """Reports the first process of the strategy that dies instead of ending: Pool would start
    another and wait for ever for the lost task. Sleeps except when a process ends."""
    ended: set[int] = set()
    while True:
        alive = {process.sentinel: process for process in STARTED if process.sentinel not in ended}
        if not alive:
            time.sleep(LOOK_FOR_NEW_S)
            continue
        for sentinel in wait(list(alive), timeout=LOOK_FOR_NEW_S):
            assert isinstance(sentinel, int)
            ended.add(sentinel)
            _report_if_dead(alive[sentinel], logs)


def _report_if_dead(process: BaseProcess, logs: Path) -> None:
    """Reports a process that has ended without completing its log."""
    left = next((one for one in log_reader.read(logs) if one.header["pid"] == process.pid), None)
    if left and left.header["left"]:
        return  # asking for the status here would compete with the strategy's own asking
    status = _status(process)
    if left or status != 0:
        fault.report(logs, obituary(process.pid, status, left), _weight(status))


def _weight(status: int | None) -> fault.Weight:
    killed = status is not None and status < 0 and status != -signal.SIGTERM  # which Pool sends
    return fault.Weight.KILLED if killed else fault.Weight.ENDED


def _status(process: BaseProcess) -> int | None:
    """The exit status of a process that has ended; the strategy's own thread may be about to reap it."""
    deadline = time.monotonic() + LOOK_FOR_NEW_S
    while process.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.005)
    return process.exitcode


def obituary(pid: int | None, status: int | None, left: log_reader.ReadLog | None) -> str:
    """Which process died of what and during which task, from its exit status and its log."""
    killed = status is not None and status < 0
    how = f"killed by {signal.Signals(-status).name}" if killed else f"ended early with status {status}"  # type: ignore[operator]
    role = left.role.name.lower() if left else "process"
    task = left.unfinished_task if left else None
    return f"{how}: {role} {pid} " + (f"at task {task}" if task else "between tasks")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
