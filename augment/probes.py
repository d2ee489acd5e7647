"""What the machine itself gives, measured as any pipeline is: each probe is a transform that leaves
the image alone and loads one resource. Run as P replicas beside the strategies, a probe tells how
much of that resource P processes have together."""

import mmap
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
from albumentations import ImageOnlyTransform
from numpy.typing import NDArray

COPIED_BYTES = 96 * 1024 * 1024  # several times the last cache of most sockets
FRESH_BYTES = 24 * 1024 * 1024  # above malloc's threshold: mapped, touched, given back
SMALL_BYTES, LARGE_BYTES = 16 * 1024, 8 * 1024 * 1024


class Probe(ImageOnlyTransform):  # type: ignore[misc]
    """Runs `load` some times, so that one task takes some tens of milliseconds."""

    times = 1

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)
        self._load = self.prepared()

    def prepared(self) -> Callable[[], object]:
        """The kernel, with what it needs made beforehand."""
        raise NotImplementedError

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        for _time in range(self.times):
            self._load()
        return img


class Compute(Probe):
    """Sums that stay in the core's first cache and keep its execution units busy: clock and SMT."""

    times = 2_500

    def prepared(self) -> Callable[[], object]:
        return lambda: sum(range(1000))


_arrays: list[NDArray[np.float64]] = []


class Memory(Probe):
    """A scaled copy far larger than the last cache, between arrays that were touched before: bandwidth.
    Scaled, so that no copying instruction goes past the caches and spares itself a third of the traffic."""

    times = 3

    def prepared(self) -> Callable[[], object]:
        if not _arrays:  # once per process, not once per task
            _arrays.extend(np.ones(COPIED_BYTES // 16) for _ in range(2))
        target, source = _arrays
        return lambda: np.multiply(source, 1.5, out=target)


class Pages(Probe):
    """Fresh pages, each touched once and given back: the kernel's page-fault path."""

    times = 2

    def prepared(self) -> Callable[[], object]:
        def touch() -> None:
            with mmap.mmap(-1, FRESH_BYTES) as fresh:
                pages = np.frombuffer(fresh, np.uint8)[:: mmap.PAGESIZE]
                pages[:] = 1
                del pages  # a map cannot be given back while it is looked at

        return touch


class _Files(Probe):
    size_bytes = 0

    def prepared(self) -> Callable[[], object]:
        block = bytes(self.size_bytes)

        def write() -> None:
            with tempfile.NamedTemporaryFile(prefix="probe-") as file:
                file.write(block)
                file.flush()

        return write


class SmallFiles(_Files):
    """Many small files, made and removed: the file system's locks."""

    size_bytes, times = SMALL_BYTES, 400


class LargeFiles(_Files):
    """Large files, made and removed: the page cache and the disk behind it."""

    size_bytes, times = LARGE_BYTES, 12
