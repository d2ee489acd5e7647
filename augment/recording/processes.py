"""Processes that can be watched: every one that is started through multiprocessing, by a strategy or by a
library that it uses, is entered in `PROCESSES`, so that its death is noticed at once, with the cause.
(`multiprocessing.Pool` itself waits for ever for a killed worker, cpython#96062.)"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

PROCESSES: list[BaseProcess] = []


class StartMethod(StrEnum):
    """How multiprocessing starts a process."""

    fork = "fork"
    spawn = "spawn"
    forkserver = "forkserver"


def context(start_method: StartMethod) -> ForkContext:
    """The multiprocessing context of that start method (typed as one of them)."""
    return cast("ForkContext", get_context(start_method.value))


def watch_started() -> None:
    """From now on every process that this one starts is in PROCESSES."""
    start = BaseProcess.start

    def watched(process: BaseProcess) -> None:
        PROCESSES.append(process)
        start(process)

    BaseProcess.start = watched  # type: ignore[method-assign, assignment]


# Waits for a word or for the end of who started it; then kills what is left of that one's session, and
# removes the folder.
GUARD = """
import os, shutil, signal, sys, time

def kill_all():
    killed = 0
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == int(sys.argv[1]):
                os.kill(int(pid), signal.SIGKILL)
                killed += 1
        except ProcessLookupError:
            pass
    return killed

if not sys.stdin.read(1):
    for _ in range(100):
        if not kill_all():
            break
        time.sleep(0.05)
    shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """However this process ends meanwhile, its whole session ends with it, and `folder` goes: for libraries
    whose processes and sockets outlive it (Ray's). Nothing where the session is not its own, as in
    somebody's shell."""
    if os.getsid(0) != os.getpid():
        yield
        return
    command = [sys.executable, "-c", GUARD, str(os.getsid(0)), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True) as guard:
        try:
            yield
        finally:
            guard.communicate("x")
