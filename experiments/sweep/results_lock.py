"""The lock of a results folder: one trial runs at a time, and commands take turns as they have asked."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from augment.temporary import PREFIX, locked, temporary_folder
from experiments.store import StoreError
from experiments.store.files import finish_or_remove_files


def prepare(results: Path) -> None:
    """Make the folder of the results; finish or remove what killed commands left there. Raises StoreError."""
    with _writable(results), temporary_folder(results):
        finish_or_remove_files(results)


@contextmanager
def exclusive_use(results: Path) -> Iterator[bool]:
    """Wait, with a line, for all commands of this host that asked before; keep later ones waiting.

    Each command holds a folder while it waits and measures. Yields True if it waited. Raises StoreError.
    """
    with ExitStack() as turn:
        with _writable(results):
            with locked(results, wait=True):
                own = turn.enter_context(temporary_folder(results, f"turn-{time.time_ns()}-{os.getpid()}-"))
                earlier = sorted({*results.glob(f"{PREFIX}turn-*")} - {own})
            for folder in earlier:
                _tell(folder.name.split("-")[-2])
                with suppress(FileNotFoundError), locked(folder, wait=True):
                    pass
        yield bool(earlier)


@contextmanager
def _writable(results: Path) -> Iterator[None]:
    try:
        results.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; give a folder to write to"
        raise StoreError(f"results_dir={results}: {reason}") from error


@cache  # once, because two sweeps wait for each other at every trial
def _tell(pid: str) -> None:
    print(f"waiting for the sweep of pid {pid}", file=sys.stderr)
