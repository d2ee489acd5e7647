"""What the study printed of each claim, recomputed from its printed seconds (see `published`)."""

from functools import cache
from typing import Any

from augment.strategies.pool import P2
from experiments.analysis import published
from experiments.analysis.text import percent, written

COUNTS = (2, 4, 8, 16, 32, 64)  # ranks


@cache
def _value(
    experiment: str, strategy: str, workers: int, measure: str = "wall_s", saving: bool = True
) -> float:
    points: Any = published.points(experiment).set_index(["strategy", "workers", "saving"])
    return float(points.at[(strategy, workers, saving), measure])


def peaks() -> str:
    """The largest speedups."""
    points = published.points("strong_scaling")
    peaks = []
    for saving, flag in ((True, "saving"), (False, "no saving")):
        row = points[points["saving"] == saving].nlargest(1, "speedup").iloc[0]
        peaks.append(f"{written(row['speedup'], '.2f')} at {row['workers']} ranks, {flag}")
    return f"{'; '.join(peaks)}; 32 cores"


def ratio(strategy: str, other: str) -> str:
    """A strategy's time over another one's."""
    times = [_value("strong_scaling", strategy, n) / _value("strong_scaling", other, n) for n in COUNTS]
    low, high = (written(end, ".2f") for end in (min(times), max(times)))
    return f"{low} to {high} times as long at {COUNTS[0]} to {COUNTS[-1]} ranks"


def no_saving(workers: int) -> str:
    """Time without saving over that with it."""
    without, saving = (_value("strong_scaling", P2.name, workers, saving=flag) for flag in (False, True))
    times = without / saving
    return f"{written(times, '.2f')} times as long with {workers} ranks"


def weak_efficiency() -> str:
    """T(1) / T(P), as the study has it."""
    shares = {n: _value("weak_scaling", P2.name, n, "efficiency") for n in (2, 8, 16, 32)}
    return ", ".join(f"{percent(share)} at {n}" for n, share in shares.items()) + " ranks"


def collapse() -> str:
    """What twice the ranks and pixels took."""
    times = _value("weak_scaling", P2.name, 64) / _value("weak_scaling", P2.name, 32)
    return f"64 ranks take {written(times, '.1f')} times as long as 32"
