"""The cases of the calibration: causes to plant, their levels, and how often each is repeated."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from experiments.calibration import foreign
from experiments.calibration.dosing import Levels

SINGLE = ("waits", "system CPU", "storage", "load imbalance", "transfer", "start-up", "threads", "memory")
LEVELS = (0.05, 0.10, 0.20, 0.40)
CLEAR_LEVEL = 0.20  # the verdict has to name a cause from this level on; pairs and decoys have this level
PAIRS = (
    "system CPU + waits",
    "load imbalance + waits",
    "storage + system CPU",
    "start-up + load imbalance",
)
DOSED_DECOYS = ("system calls", "slow warm-up")
DECOYS = (*DOSED_DECOYS, "outside load", "outside program", "CPU quota")
NOTHING = "nothing"
FOREIGN: dict[str, tuple[Callable[[int], Any], set[str]]] = {  # pipelines of users, and what they plant
    "NumPy function": (foreign.numpy_only, set()),
    "Pillow decode": (foreign.pillow_decode, set()),
    "file lock": (foreign.file_lock, {"waits"}),
}
CAUSES = (*SINGLE, *PAIRS, *DECOYS, *FOREIGN, NOTHING)


class Case(NamedTuple):
    """One of CAUSES to plant; each cause of a pair takes the share `level` of all worker-seconds."""

    cause: str
    level: float

    @property
    def planted(self) -> set[str]:
        """Return the causes that the verdict has to name."""
        if self.cause in FOREIGN:
            return FOREIGN[self.cause][1]
        return {*self.cause.split(" + ")} & {*SINGLE}

    @property
    def pipeline(self) -> dict[str, Any] | None:
        """Return the pipeline of a user, or None for one of the suite's loads."""
        if self.cause not in FOREIGN:
            return None
        factory = FOREIGN[self.cause][0]
        return {"library": "callable", "_target_": f"{factory.__module__}.{factory.__name__}"}

    @property
    def levels(self) -> Levels:
        """Return the level of everything that the tasks and the strategy are dosed with."""
        dosed = self.planted | {self.cause} & {*DOSED_DECOYS} if self.cause not in FOREIGN else set()
        return dict.fromkeys(dosed, self.level)

    @property
    def saving(self) -> bool:
        """Return True if outputs are written: storage is planted, or it could be blamed wrongly."""
        return self.cause in DECOYS or "storage" in self.planted


def plan_cases(times: int, causes: Sequence[str] = CAUSES) -> list[Case]:
    """Return the cases of these causes in a shuffled order that is always the same.

    Decoys and single causes from CLEAR_LEVEL on come `times` times, fainter causes, pairs and pipelines of
    users half as often (at least twice), and NOTHING twice as often.
    """
    few = max(2, times // 2)
    counts = {
        Case(cause, level): times if level >= CLEAR_LEVEL else few for cause in SINGLE for level in LEVELS
    }
    counts |= {Case(pair, CLEAR_LEVEL): few for pair in PAIRS}
    counts |= {Case(decoy, CLEAR_LEVEL): times for decoy in DECOYS}
    counts |= {
        Case(name, foreign.LOCK_SHARE if planted else 0.0): few for name, (_, planted) in FOREIGN.items()
    }
    counts[Case(NOTHING, 0.0)] = 2 * times
    cases = [case for case, count in counts.items() for _ in range(count) if case.cause in causes]
    random.Random(0).shuffle(cases)
    return cases


def missing_cases(wanted: Iterable[Case], done: Iterable[Case]) -> list[Case]:
    """Return the wanted cases that are not done yet, in their order."""
    missing = list(wanted)
    for case in done:
        if case in missing:
            missing.remove(case)
    return missing
