"""A fixed piece of work, timed before and after every trial: a change of its time is a change of the machine
(clock, heat, neighbours), not of the code under test."""

import hashlib
import time
import timeit
import zlib
from collections.abc import Sequence

DRIFT_LIMIT = 0.10  # as pyperf, which warns of a spread of 10 %
SPREAD_LIMIT = 0.10

REPETITIONS = 5
# Compressing reads, compares and branches like the work of a codec, in memory that fits into a core's
# own caches. Text of random hexadecimal digits: as hard to compress everywhere as it is here.
_TEXT = "".join(hashlib.sha256(i.to_bytes(2, "big")).hexdigest() for i in range(2048)).encode()


def kernel_s() -> float:
    """Seconds of the best of REPETITIONS identical runs of the kernel, about 5 ms each on one core.

    The best, because a short interruption is not what the machine can do; what lasts longer than
    all of them shows. It uses Python's own zlib: no version of NumPy or OpenCV changes it."""
    kernel = timeit.Timer(lambda: zlib.compress(_TEXT, 6), timer=time.perf_counter)
    return min(kernel.repeat(REPETITIONS, number=1))


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
