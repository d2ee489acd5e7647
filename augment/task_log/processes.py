"""Processes that can be watched: every one that is started through multiprocessing, by a strategy or by a
library that it uses, is entered in `PROCESSES`, so that its death is noticed at once, with the cause.
(`multiprocessing.Pool` itself waits for ever for a killed worker, cpython#96062.)"""

from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
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
