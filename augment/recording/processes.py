"""Processes that can be watched: every one that a strategy makes through `context()` is entered in
`PROCESSES`, so that its death is noticed at once, with the cause. (`multiprocessing.Pool` itself waits for
ever for a killed worker, cpython#96062.)"""

from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from typing import Any, cast

PROCESSES: list[BaseProcess] = []


class StartMethod(StrEnum):
    """How multiprocessing starts a process."""

    fork = "fork"
    spawn = "spawn"
    forkserver = "forkserver"


def context(start_method: StartMethod) -> ForkContext:
    """The multiprocessing context of that start method (typed as one of them), its processes watched."""
    plain = cast("ForkContext", get_context(start_method.value))
    watched = type(plain)()

    def process(*arguments: Any, **options: Any) -> BaseProcess:
        PROCESSES.append(created := plain.Process(*arguments, **options))
        return created

    watched.Process = process  # type: ignore[assignment, misc]
    return watched
