"""The inside of a trial: one fresh process that times one strategy on one job.

Started by the supervisor as `python -m experiments.trial.inside FOLDER PARENT_PID`; finds
`job.pickle` in the folder and leaves `result.json` there, or a fault beside the logs."""

import gc
import json
import os
import pickle
import resource
import sys
import threading
import time
from cProfile import Profile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

from augment.images import error_line
from augment.pipeline import check
from augment.runtime import die_with_parent, os_threads
from augment.strategies import Strategy
from augment.task_log import faults, reader
from augment.task_log.processes import PROCESSES, watch_started
from augment.workload import Job
from experiments.machine import load
from experiments.trial.process_watch import report_dead, report_if_dead, watch_processes

JOB, RESULT, OUTPUT = "job.pickle", "result.json", "output.txt"


@dataclass(frozen=True)
class Result:
    """What the process that timed a strategy knows about it."""

    begin: float  # the clock of the logs at the begin of the timed region
    wall_s: float
    cpu_user_s: float  # of this process in the timed region, and of the others from begin to end
    cpu_system_s: float
    threads_cpu_s: float  # of this process's other threads, but for those that work
    sent_bytes: int  # that this process wrote, to pipes and sockets above all
    start_method: str | None
    threads_before: int  # alive when the strategy began, the one that watches processes not counted
    besides: dict[str, float]  # columns of the trial: what else the machine did in the timed region


def main(folder: Path, parent_pid: int) -> None:
    die_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the sweep that started this trial has ended")
    strategy, job = pickle.loads((folder / JOB).read_bytes())
    watch_started()
    threading.Thread(target=watch_processes, args=(job.logs,), daemon=True).start()
    try:
        check(job.workload.pipeline)  # also imports the libraries, before the clock runs
        strategy.load()
        result = timed(strategy, job)
        for process in PROCESSES:  # a strategy may return and not know how its processes ended
            report_if_dead(process, job.logs)
    except BaseException as error:
        faults.report(job.logs, error_line(error), faults.Severity.RAISED)
        report_dead(job.logs)  # what is behind it
        raise
    (folder / RESULT).write_text(json.dumps(asdict(result)))
    gc.freeze()  # nothing to collect when the interpreter ends: that took a tenth of a second


def timed(strategy: Strategy, job: Job) -> Result:
    """Runs the strategy: the one timed region of the suite."""
    profile = Profile() if job.profiles else None
    threads_before = os_threads() - 1
    cpus = os.sched_getaffinity(0)  # before a strategy binds this process to one of them
    before, machine_before = _Counters.now(), load.counters(cpus)
    begin = time.perf_counter()
    if profile:
        profile.runcall(strategy.run, job)
    else:
        strategy.run(job)
    wall_s = time.perf_counter() - begin
    after, machine_after = _Counters.now(), load.counters(cpus)
    if profile and job.profiles:
        profile.dump_stats(job.profiles / "master.pstats")
    user_s, system_s, threads_s, sent = (late - early for late, early in zip(after, before, strict=True))
    headers = reader.headers(job.logs)
    own = b"", os.getpid()
    others = [header for header in headers if header.process != own]
    working = [header for header in headers if header.process == own and header.thread != header.pid]
    threads_s -= sum(header.cpu_user_s + header.cpu_system_s for header in working)
    user_s += sum(header.cpu_user_s for header in others)
    system_s += sum(header.cpu_system_s for header in others)
    besides = load.besides(machine_before, machine_after, user_s + system_s)
    methods = {str(process._start_method) for process in PROCESSES}  # type: ignore[attr-defined]
    method = ",".join(sorted(methods)) or None
    return Result(begin, wall_s, user_s, system_s, threads_s, int(sent), method, threads_before, besides)


class _Counters(NamedTuple):
    """What this process has used so far."""

    user_s: float
    system_s: float
    threads_s: float  # of the threads that do not call this
    written_bytes: float

    @classmethod
    def now(cls) -> Self:
        process, thread = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_THREAD)
        threads_s = process.ru_utime + process.ru_stime - thread.ru_utime - thread.ru_stime
        written = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["wchar"]
        return cls(process.ru_utime, process.ru_stime, threads_s, int(written))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
