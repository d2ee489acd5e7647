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
    try:
        results.mkdir(parents=True, exist_ok=True)
        _wait_for_turn(results)
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; give a folder to write to"
        raise StoreError(f"results_dir={results}: {reason}") from error


def _wait_for_turn(results: Path) -> None:
    """Say so if another sweep is measuring into these results, and wait for the end of its trial."""
    lock = _lock(results)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for a trial of another command into {results}", file=sys.stderr)
        lock.acquire()
    lock.release()


@contextmanager
def exclusive_use(results: Path) -> Iterator[None]:
    """Wait until no other sweep of this host measures into these results, then keep others waiting."""
    prepare(results)
    with _lock(results):
        for abandoned in results.glob(f"*/*/.{HOST}-*.part"):  # only a killed writer leaves one
            abandoned.unlink()
        yield


def _lock(results: Path) -> FileLock:
    return FileLock(results / f".turn-{HOST}.lock")
