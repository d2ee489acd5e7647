"""Processes that whoever watches a trial can see: every one that a strategy starts through
`context()` is entered in `STARTED` when it is born, so that a death is noticed at once, with
its cause. (`multiprocessing.Pool` itself waits for ever for a killed worker, cpython#96062.)"""

from multiprocessing.context import (
    ForkContext,
    ForkProcess,
    ForkServerContext,
    ForkServerProcess,
    SpawnContext,
    SpawnProcess,
)
from multiprocessing.process import BaseProcess

STARTED: list[BaseProcess] = []


class _WatchedFork(ForkProcess):
    def start(self) -> None:
        super().start()
        STARTED.append(self)


class _WatchedSpawn(SpawnProcess):
    def start(self) -> None:
        super().start()
        STARTED.append(self)


class _WatchedForkServer(ForkServerProcess):
    def start(self) -> None:
        super().start()
        STARTED.append(self)


class _Fork(ForkContext):
    Process = _WatchedFork


class _Spawn(SpawnContext):
    Process = _WatchedSpawn


class _ForkServer(ForkServerContext):
    Process = _WatchedForkServer


_Context = ForkContext | SpawnContext | ForkServerContext
_CONTEXTS: dict[str, type[_Context]] = {"fork": _Fork, "spawn": _Spawn, "forkserver": _ForkServer}
START_METHODS = tuple(_CONTEXTS)


def context(start_method: str) -> _Context:
    """The multiprocessing context of that start method, its processes watched."""
    return _CONTEXTS[start_method]()
