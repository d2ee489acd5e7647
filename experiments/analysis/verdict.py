"""What limits a strategy at a worker count: the leading loss, named when the evidence names it.

In this order, for the shares that the losses take of all worker-seconds P T:

1. The work itself: from two workers on, where what the tasks wait (blocked) or spend in the kernel on
   fresh pages, the reference's part included, takes OF_WORK of P T and TWICE the leading loss.
2. *inside the noise*: the loss, the machine's drift left out (see `losses`), or the low end of its
   interval, is not above NOISE.
3. The largest loss, if it leads in LEADS of the draws; else *not decided*, and *inside the noise* if
   it is itself not above NOISE. It is a cause by itself but
   for user CPU (see `inflation`), system CPU (page faults, if these can cost that much) and
   wait (oversubscription, if it is at most TWICE the share 1 - CPUs / runnable that must wait; else
   another load is to blame).
   Processes with helper threads beyond the CPUs lose to oversubscription also what their main
   thread waits for its helpers (blocked) and what these spin (user).

The constants and their reasons are in `causes` and `inflation` beside this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from experiments.analysis.causes import ADVICE, leading_loss, percent, within_noise, work_itself
from experiments.analysis.ceilings import REPLICAS
from experiments.analysis.losses import LOSSES, Cell, cells
from experiments.analysis.scaling import SEQUENTIAL
from experiments.report.tables import label

NAN = float("nan")


@dataclass(frozen=True)
class Verdict:
    """What limits one strategy at one worker count. Shares are of P T; `low` and `high` are the 95 %
    interval of `share`, NaN without repetitions."""

    saving: bool
    strategy: str
    workers: int
    cause: str
    share: float
    low: float
    high: float
    loss: float
    machine_loss: float  # what replicas lose at this count; NaN where they were not measured
    order: str  # the losses, largest first
    evidence: str
    advice: str

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high

    def sentence(self) -> str:
        """The verdict in words."""
        where = f"{label(self.strategy)} at {self.workers} worker{'s' if self.workers > 1 else ''}"
        where += f", {'saving' if self.saving else 'no saving'}"
        spread = f" ({round(100 * self.low)} to {percent(self.high)})" if self.low == self.low else ""
        return f"{where}: {self.cause}, {percent(self.share)}{spread}. {self.evidence} {self.advice}"


def verdicts(accounts: pd.DataFrame, inflations: pd.DataFrame) -> list[Verdict]:
    """A verdict for each strategy, worker count and saving flag of `account.accounts`, by the
    `ceilings.inflations` of the probes."""
    found = cells(accounts, inflations) if len(accounts) else []
    return [_verdict(cell, found, inflations) for cell in found]


def _verdict(cell: Cell, others: Sequence[Cell], inflations: pd.DataFrame) -> Verdict:
    peers = [other for other in others if other.saving == cell.saving]
    same_count = (other for other in peers if (other.strategy, other.workers) == (REPLICAS, cell.workers))
    machine_loss = next((other.share(*LOSSES)[0] for other in same_count), NAN)
    finding = work_itself(cell) or within_noise(cell) or leading_loss(cell, inflations)
    loss = cell.share(*LOSSES)[0]
    ranked = sorted((*LOSSES, "drift"), key=lambda name: -cell.mean[name])
    return Verdict(
        *(cell.saving, cell.strategy, cell.workers, finding.cause, *cell.share(*finding.of)),
        loss=loss,
        machine_loss=machine_loss,
        order=", ".join(f"{name} {percent(cell.share(name)[0])}" for name in ranked if _shows(cell, name)),
        evidence=_sentence(finding.evidence) + _against_replicas(cell, loss, machine_loss),
        advice=ADVICE[finding.cause],
    )


def _shows(cell: Cell, name: str) -> bool:
    return round(100 * cell.share(name)[0]) != 0


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _against_replicas(cell: Cell, loss: float, machine_loss: float) -> str:
    """Which part of the loss the machine would have taken from any strategy."""
    if machine_loss != machine_loss or cell.strategy in (REPLICAS, SEQUENTIAL):
        return ""
    own = percent(loss - machine_loss)
    machine = percent(machine_loss)
    return f" Of {percent(loss)} lost in all, replicas lose {machine} too; {own} are the strategy's."
