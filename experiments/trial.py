"""The inside of a trial: one fresh process that times one strategy on one job.

Started by experiments.watch as `python -m experiments.trial FOLDER PARENT_PID`; finds `job.pickle`
in the folder and leaves `result.json` there, or a fault beside the logs."""

import json
import multiprocessing
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
from pathlib import Path

from augment import fault, log
from augment.pipeline import check
from augment.processes import STARTED
from augment.runtime import die_with_parent
from augment.strategies import Strategy
from augment.task import error_line
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
    start_method: str | None


def main(folder: Path, parent_pid: int) -> None:
    die_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the sweep that started this trial has ended")
    strategy, job = pickle.loads((folder / JOB).read_bytes())
    threading.Thread(target=watch_processes, args=(job.logs,), daemon=True).start()
    try:
        check(job.workload.pipeline)  # also imports the libraries, before the clock runs
        result = timed(strategy, job)
    except BaseException as error:
        fault.report(job.logs, error_line(error))
        raise
    (folder / RESULT).write_text(json.dumps(asdict(result)))


def timed(strategy: Strategy, job: Job) -> Result:
    """Runs the strategy: the one timed region of the suite."""
    profile = Profile() if job.profiles else None
    before = _cpu_seconds()
    begin = time.perf_counter()
    if profile:
        profile.runcall(strategy.run, job)
    else:
        strategy.run(job)
    wall_s = time.perf_counter() - begin
    user_s, system_s = (after - earlier for after, earlier in zip(_cpu_seconds(), before, strict=True))
    if profile and job.profiles:
        profile.dump_stats(job.profiles / "master.pstats")
    methods = {str(process._start_method) for process in STARTED}  # type: ignore[attr-defined]
    return Result(begin, wall_s, user_s, system_s, ",".join(sorted(methods)) or None)


def _cpu_seconds() -> tuple[float, float]:
    """User and system seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime for usage in usages), sum(usage.ru_stime for usage in usages)


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
            if cause := _death(alive[sentinel], logs):
                fault.report(logs, cause)


def _death(process: multiprocessing.process.BaseProcess, logs: Path) -> str | None:
    """What a process that is no more died of; None if it ended of its own accord."""
    left = next((one for one in log.read(logs) if one.header["pid"] == process.pid), None)
    code = process.exitcode
    for _ in range(20):  # the strategy may be reaping it in its own thread at this moment
        if code is not None:
            break
        time.sleep(0.01)
        code = process.exitcode
    if code == 0 and (left is None or left.header["left"]):
        return None
    how = (
        f"killed by {signal.Signals(-code).name}"
        if code is not None and code < 0
        else f"ended early with status {code}"
    )
    role = left.role.name.lower() if left else "process"
    task = left.unfinished_task if left else None
    return f"{how}: {role} {process.pid} " + (f"at task {task}" if task else "between tasks")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
