"""The lock of a results folder: one trial runs at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from experiments.store import StoreError
from experiments.store.files import HOST


def prepare(results: Path) -> None:
    """Make the folder of the results. Raises StoreError if nothing can be written there."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with _lock(results):
            pass
    except OSError as error:
        reason = f"cannot be written: {error.strerror}; give a folder to write to"
        raise StoreError(f"results_dir={results}: {reason}") from error


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
