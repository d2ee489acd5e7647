"""The inside of a trial: one fresh process that times one strategy on one job.

It is started as `python -m experiments.trial.inside CONNECTION PARENT_PID MODULE…`. The folder of the trial
comes through the connection, a file descriptor. The process reads `job.pickle` in the folder and writes
`result.json` there, or a fault beside the logs.
"""

import gc
import json
import os
import pickle
import resource
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from augment.filesystem import check_folder, is_local
from augment.image_file import BadImageError, read_header
from augment.images import error_line
from augment.pipeline import check, transformer
from augment.runtime import die_with_parent
from augment.strategies import Strategy
from augment.task_log import faults, reader
from augment.workload import Job, Workload
from experiments.machine.conditions import conditions
from experiments.machine.environment import cpu_counters, load_columns
from experiments.trial import process_watch
from experiments.trial.process import received_folder

JOB, RESULT = "job.pickle", "result.json"


def main(connection: int, parent_pid: int, *modules: str) -> None:
    die_with_parent()
    if os.getppid() != parent_pid:
        sys.exit("the sweep that started this trial has ended")
    for module in modules:
        with suppress(Exception):  # what cannot be imported is an error of the check
            import_module(module)
    run(received_folder(Connection(connection)))


def run(folder: Path) -> None:
    """Run the trial that is described in a folder, with its temporary files there."""
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None  # it is read again from TMPDIR
    strategy, job = pickle.loads((folder / JOB).read_bytes())
    process_watch.record_started_processes()
    threading.Thread(target=process_watch.watch_processes, args=(job.logs,), daemon=True).start()
    try:
        check(job.workload.pipeline)
        load(strategy, job.workload)
        known = conditions()
        begin, columns = timed(strategy, job)
        # A strategy may return and not know how its processes ended.
        process_watch.report(process_watch.PROCESSES, job.logs)
    except BaseException as error:
        time.sleep(2 * process_watch.WAIT_S)  # in which a dead process is reported that may be the cause
        faults.report(job.logs, error_line(error), faults.Severity.RAISED)
        raise
    result = {"begin": begin, "columns": columns, "conditions": known}
    (folder / RESULT).write_text(json.dumps(result))
    gc.freeze()  # saves 0.1 s: the interpreter collects nothing when it ends


def load(strategy: Strategy, workload: Workload) -> None:
    """Import all that the timed region needs."""
    transformer(workload.pipeline, is_reused=False)
    strategy.load()
    for name in {name.rpartition(".")[2]: name for name in workload.inputs.names}.values():
        with suppress(BadImageError, OSError):  # which the task reports
            read_header(workload.inputs.root / name)  # by the libraries of its format and of its address
    if workload.output and not is_local(workload.output):
        with suppress(OSError):  # likewise
            check_folder(workload.output)


def timed(strategy: Strategy, job: Job) -> tuple[float, dict[str, Any]]:
    """Run the strategy in the timed region, the only one of the suite; return its begin and its columns."""
    cpus = os.sched_getaffinity(0)
    before, machine_before = _cpu_s(), cpu_counters(cpus)
    begin = time.perf_counter()
    strategy.run(job)
    wall_s = time.perf_counter() - begin
    after, machine_after = _cpu_s(), cpu_counters(cpus)
    user_s, system_s, threads_s = (late - early for late, early in zip(after, before, strict=True))
    headers = reader.headers(job.logs)
    master = b"", os.getpid()
    started: Any = process_watch.PROCESSES
    starts = {pid: str(process._start_method) for pid, process in started}
    children = {(b"", pid) for pid, method in starts.items() if method != "forkserver"}  # in _cpu_s
    others = [header for header in headers if header.process not in {master, *children}]
    working = [header for header in headers if header.process == master and header.thread != header.pid]
    user_s += sum(header.cpu_user_s for header in others)  # from their begin to their end
    system_s += sum(header.cpu_system_s for header in others)
    columns = {
        "wall_s": wall_s,
        "cpu_user_s": user_s,
        "cpu_system_s": system_s,
        "master_threads_cpu_s": threads_s - sum(each.cpu_user_s + each.cpu_system_s for each in working),
        "start_method": ",".join(sorted(set(starts.values()))) or None,
        **load_columns(machine_before, machine_after, user_s + system_s),
    }
    return begin, columns


def _cpu_s() -> tuple[float, float, float]:
    """Return the user and system CPU seconds of this process and of its children that have ended, whole.

    The third number is those of this process's threads but the calling one.
    """
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN, resource.RUSAGE_THREAD
    process, children, thread = map(resource.getrusage, kinds)
    threads_s = process.ru_utime + process.ru_stime - thread.ru_utime - thread.ru_stime
    return process.ru_utime + children.ru_utime, process.ru_stime + children.ru_stime, threads_s


if __name__ == "__main__":
    sys.path.append(os.getcwd())  # a pipeline may name a user's class
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
