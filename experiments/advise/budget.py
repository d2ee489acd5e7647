"""What the trials of a search take, and what is left of its budget."""

from collections.abc import Callable, Sequence
from math import ceil

from augment.strategies.instruments.copies import Copies
from experiments.analysis.candidates import Measured
from experiments.analysis.engines import Cell as Candidate

END_S = 3.0  # for the answer
STEP_S = 30.0  # of a budget that is proposed


class Budget:
    """Seconds, from now on. What a task takes, and a trial beside its timed region, a pilot has to tell."""

    def __init__(self, budget_s: float, cpus: int, clock: Callable[[], float]) -> None:
        """`clock` gives seconds."""
        self._clock, self._begin, self._budget_s, self._cpus = clock, clock(), budget_s, cpus
        self.task_s = self.overhead_s = 0.0  # of one process, and of a trial

    def left_s(self, kept: float = 0.0) -> float:
        """What is left, less a share of the whole that is kept for later."""
        return self._budget_s * (1 - kept) - END_S - self._spent_s()

    def _spent_s(self) -> float:
        return self._clock() - self._begin

    def share(self, each: Candidate) -> float:
        """Of one process's seconds that a trial takes."""
        return 1.0 if each.strategy == Copies.name else 1 / min(each.workers, self._cpus)

    def seconds(self, tasks: float, candidates: Sequence[Candidate]) -> float:
        """What one trial of each candidate takes."""
        each_s = tasks * self.task_s
        return each_s * sum(map(self.share, candidates)) + len(candidates) * self.overhead_s

    def tasks(self, seconds: float, candidates: Sequence[Candidate]) -> float:
        """Of a sample of which these candidates take so many seconds, one trial each."""
        return (seconds - self.seconds(0, candidates)) / (self.task_s * sum(map(self.share, candidates)))

    def round_s(self, found: Measured, tasks: float, candidates: Sequence[Candidate]) -> float:
        """What one trial of each candidate takes, by what is measured of it."""
        known = found.model.cells
        unknown = [each for each in candidates if each not in known]
        measured_s = [found.model.seconds(each) + self.overhead_s for each in candidates if each in known]
        return self.seconds(tasks, unknown) + sum(measured_s)

    def needed_s(self, seconds: float) -> int:
        """A whole budget that would leave so many seconds now."""
        return ceil((seconds + self._spent_s() + END_S) / STEP_S) * int(STEP_S)
