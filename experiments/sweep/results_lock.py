"""The lock of a results folder: one trial runs at a time, and commands take turns as they have asked."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from augment.temporary import PREFIX, locked, temporary_folder
from experiments.store import StoreError
from experiments.store.files import remove_abandoned_files


def prepare(results: Path) -> None:
    """Make the folder of the results; remove what killed commands left there. Raises StoreError."""
    with _writable(results), temporary_folder(results):
        remove_abandoned_files(results)


@contextmanager
def exclusive_use(results: Path) -> Iterator[None]:
    """Wait, with a line, for all commands of this host that asked before; keep later ones waiting.

    Each command holds a folder with a number while it waits and measures. Raises StoreError.
    """
    with ExitStack() as turn:
        with _writable(results):
            with locked(results, wait=True):
                earlier = sorted(results.glob(f"{PREFIX}turn-*"))
                number = 1 + max((_number_and_pid(folder)[0] for folder in earlier), default=0)
                turn.enter_context(temporary_folder(results, f"turn-{number:09}-{os.getpid()}-"))
            for folder in earlier:
                _wait_for(folder)
        yield


@contextmanager
def _writable(results: Path) -> Iterator[None]:
    try:
        results.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; give a folder to write to"
        raise StoreError(f"results_dir={results}: {reason}") from error


def _number_and_pid(folder: Path) -> tuple[int, int]:
    number, pid = folder.name.removeprefix(f"{PREFIX}turn-").split("-")[:2]
    return int(number), int(pid)


def _wait_for(folder: Path) -> None:
    """Wait until the command that holds a folder has had its turn or is dead."""
    with suppress(FileNotFoundError):
        try:
            with locked(folder, wait=False):
                return
        except BlockingIOError:
            _tell(_number_and_pid(folder)[1])
        with locked(folder, wait=True):
            pass


@cache  # once, because two sweeps wait for each other at every trial
def _tell(pid: int) -> None:
    print(f"waiting for the sweep of pid {pid}", file=sys.stderr)
