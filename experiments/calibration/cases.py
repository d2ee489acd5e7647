"""What is planted, and how often."""

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from experiments.calibration.dosing import Levels

SINGLE = ("waits", "page faults", "storage", "load imbalance", "transfer", "start-up", "threads", "memory")
LEVELS = (0.05, 0.10, 0.20, 0.40)
CLEAR = 0.20  # from here on a cause has to be found; the level of each cause in a pair, and of decoys
PAIRS = (
    "page faults + waits",
    "load imbalance + waits",
    "storage + page faults",
    "start-up + load imbalance",
)
DOSED_DECOYS = ("system calls", "slow warm-up")
DECOYS = (*DOSED_DECOYS, "outside load", "CPU quota")
NOTHING = "nothing"
CAUSES = (*SINGLE, *PAIRS, *DECOYS, NOTHING)


class Try(NamedTuple):
    """One of CAUSES, planted; each cause of a pair for that share of all worker-seconds."""

    cause: str
    level: float

    @property
    def planted(self) -> set[str]:
        """The causes that have to be found."""
        return {*self.cause.split(" + ")} & {*SINGLE}

    @property
    def levels(self) -> Levels:
        """What the tasks and the strategy are dosed with."""
        return dict.fromkeys(self.planted | ({self.cause} & {*DOSED_DECOYS}), self.level)

    @property
    def saving(self) -> bool:
        """Whether outputs are written: where storage is planted, and where it may be blamed wrongly."""
        return self.cause in DECOYS or "storage" in self.planted


def planned(times: int, only: Sequence[str] = ()) -> list[Try]:
    """The tries in a shuffled order that is always the same: so many `times` each of single causes from CLEAR
    on and of decoys, half as many of fainter ones and of pairs, twice as many of nothing. `only` of these."""
    few = max(2, times // 2)
    counts = {Try(cause, level): times if level >= CLEAR else few for cause in SINGLE for level in LEVELS}
    counts |= {Try(pair, CLEAR): few for pair in PAIRS} | {Try(decoy, CLEAR): times for decoy in DECOYS}
    counts[Try(NOTHING, 0.0)] = 2 * times
    tries = [each for each, count in counts.items() for _ in range(count) if not only or each.cause in only]
    random.Random(0).shuffle(tries)
    return tries


def lacking(wanted: Iterable[Try], done: Iterable[Try]) -> list[Try]:
    """Those that are not done yet, in their order."""
    left, lacks = list(done), []
    for each in wanted:
        if each in left:
            left.remove(each)
        else:
            lacks.append(each)
    return lacks
