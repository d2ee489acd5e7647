"""Fixed pieces of work, timed around every trial: what changes in their times is the machine (clock, heat,
neighbours), not the code under test."""

import ctypes
import hashlib
import mmap
import resource
import time
import timeit
import zlib
from collections.abc import Sequence

DRIFT_LIMIT = 0.10  # as pyperf, which warns of a spread of 10 %
SPREAD_LIMIT = 0.10

REPETITIONS = 5
FAULT_MAPS, FAULT_BYTES = 3, 24 << 20
HUGE_BYTES = 2 << 20  # of a huge page, where small ones have 4 KiB
# Compressing reads, compares and branches like the work of a codec, in memory that fits into a core's
# own caches. Text of random hexadecimal digits: as hard to compress everywhere as it is here.
_TEXT = "".join(hashlib.sha256(i.to_bytes(2, "big")).hexdigest() for i in range(2048)).encode()


def kernel_s() -> float:
    """Seconds of the best of REPETITIONS identical runs of the kernel, about 5 ms each on one core.

    The best, because a short interruption is not what the machine can do; what lasts longer than
    all of them shows. It uses Python's own zlib: no version of NumPy or OpenCV changes it."""
    kernel = timeit.Timer(lambda: zlib.compress(_TEXT, 6), timer=time.perf_counter)
    return min(kernel.repeat(REPETITIONS, number=1))


def fault_s(huge: bool) -> float | None:
    """Seconds of one page fault in the fastest of FAULT_MAPS fresh maps of FAULT_BYTES, on huge pages alone
    or on small ones alone. None where madvise refuses, or the kernel gives other pages than asked for."""
    try:
        seconds, faults = min(_touched(huge) for _ in range(FAULT_MAPS))
    except OSError:
        return None
    # 6144 faults on x86 or 12: a single huge page that could not be had is 512 small ones.
    is_huge = faults < FAULT_BYTES / mmap.PAGESIZE / 64
    return seconds / faults if faults and is_huge == huge else None


def _touched(huge: bool) -> tuple[float, int]:
    """Seconds to map memory, to touch each of its pages once and to unmap it, and the faults in that."""
    advice = mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE
    touches = bytes(FAULT_BYTES // mmap.PAGESIZE)
    faults_before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
    # Longer than what is touched, as a huge page has to begin at a multiple of its size.
    with mmap.mmap(-1, FAULT_BYTES + HUGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(advice)
        first = -ctypes.addressof(ctypes.c_char.from_buffer(memory)) % HUGE_BYTES
        memory[first : first + FAULT_BYTES : mmap.PAGESIZE] = touches
    seconds = time.perf_counter() - begin
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults_before


def drift(before_s: float, after_s: float) -> float:
    """How much longer the kernel took after than before, as a share: 0.1 is 10 % slower."""
    return after_s / before_s - 1


def findings(before_s: float, after_s: float) -> list[str]:
    """One line where the kernel's times around a trial drift by more than DRIFT_LIMIT."""
    change = drift(before_s, after_s)
    if abs(change) <= DRIFT_LIMIT:
        return []
    word = "slower" if change > 0 else "faster"
    return [f"the machine ran {100 * abs(change):.0f} % {word} after the trial than before"]


def spread_findings(walls_s: Sequence[float]) -> list[str]:
    """One line where the slowest repetition took more than SPREAD_LIMIT longer than the fastest."""
    if not walls_s or (spread := max(walls_s) / min(walls_s) - 1) <= SPREAD_LIMIT:
        return []
    return [f"the repetitions differ by {100 * spread:.0f} %"]
