"""The lock of a results folder: one trial runs at a time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.store import StoreError
from experiments.store.files import HOST


def prepare(results: Path) -> None:
    """Make the folder of the results. Raises StoreError if nothing can be written there."""
    with exclusive_use(results):
        pass


@contextmanager
def exclusive_use(results: Path) -> Iterator[None]:
    """Wait, with a line, until no other sweep of this host measures into these results; keep others waiting.

    Raises StoreError.
    """
    lock = FileLock(results / f".turn-{HOST}.lock")
    try:
        results.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting for a trial of another command into {results}", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; give a folder to write to"
        raise StoreError(f"results_dir={results}: {reason}") from error
    try:
        for abandoned in results.glob(f"*/*/.{HOST}-*.part"):  # only a killed writer leaves one
            abandoned.unlink()
        yield
    finally:
        lock.release()
