"""What the machine itself gives: each probe loads one of its resources for some ten milliseconds.

`strategy=turns` runs them between the tasks of the workload, alone and in all workers together, and so
tells how much of that resource several processes have together. PROBES is the one list."""

import mmap
import tempfile
from collections.abc import Callable

Load = Callable[[], object]

COPIED_BYTES = 96 * 1024 * 1024  # several times the last cache of most sockets
FRESH_BYTES = 24 * 1024 * 1024  # above malloc's threshold: mapped, touched, given back
SMALL_BYTES, SMALL_FILES = 16 * 1024, 100
LARGE_BYTES, LARGE_FILES = 8 * 1024 * 1024, 4


def compute() -> Load:
    """Sums that stay in the core's first cache and keep its execution units busy: clock and SMT."""

    def add() -> None:
        for _time in range(1000):
            sum(range(1000))

    return add


def memory() -> Load:
    """A scaled copy far larger than the last cache, between arrays that were touched before: bandwidth.
    Scaled, so that no copying instruction goes past the caches and spares itself a third of the traffic."""
    import numpy as np

    target, source = (np.ones(COPIED_BYTES // 16) for _ in range(2))
    return lambda: np.multiply(source, 1.5, out=target)


def pages() -> Load:
    """Fresh pages, each touched once and given back: the kernel's page-fault path."""
    import numpy as np

    def touch() -> None:
        with mmap.mmap(-1, FRESH_BYTES) as fresh:
            each = np.frombuffer(fresh, np.uint8)[:: mmap.PAGESIZE]
            each[:] = 1
            del each  # a map cannot be given back while it is looked at

    return touch


def small_files() -> Load:
    """Many small files, made and removed: the file system's locks."""
    return _files(SMALL_FILES, SMALL_BYTES)


def large_files() -> Load:
    """Large files, made and removed: the page cache and the disk behind it."""
    return _files(LARGE_FILES, LARGE_BYTES)


def _files(times: int, size_bytes: int) -> Load:
    block = bytes(size_bytes)

    def write() -> None:
        for _time in range(times):
            with tempfile.NamedTemporaryFile(prefix="probe-") as file:
                file.write(block)
                file.flush()

    return write


PROBES: dict[str, Callable[[], Load]] = {  # each makes its load, with what that needs prepared
    "compute": compute,
    "memory": memory,
    "pages": pages,
    "small_files": small_files,
    "large_files": large_files,
}
