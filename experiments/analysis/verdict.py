"""What limits a strategy at a worker count: the leading loss, named when the evidence names it.

In this order, for the shares that the losses take of all worker-seconds P T:

1. The work itself: from two workers on, where what the tasks wait (blocked) or spend in the kernel on
   fresh pages, the reference's part included, takes OF_WORK of P T and OUTWEIGHS times the leading loss.
2. *inside the noise*: the loss, the machine's drift left out (see `losses`), or the low end of its
   interval, is not above NOISE.
3. The largest loss, if it leads in LEADS of the samples; else *not decided*, and *inside the noise* if
   it is itself not above NOISE. It is a cause by itself but
   for user CPU (see `inflation`), system CPU (page faults, if these can cost that much) and
   wait (oversubscription, if it is at most OVERLONG times the share 1 - CPUs / runnable that must wait; else
   another load is to blame).
   Processes with helper threads beyond the CPUs lose to oversubscription also what their main
   thread waits for its helpers (blocked) and what these spin (user).

The constants and their reasons are in `causes` and `inflation` beside this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import pandas as pd

from augment.strategies.instruments.replicas import Replicas
from augment.strategies.sequential import Sequential
from experiments.analysis.causes import ADVICE, leading_loss, within_noise, work_itself
from experiments.analysis.losses import LOSSES, Point, points
from experiments.analysis.text import counted, label, percent, percent_span, with_or_without


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

    def sentence(self) -> str:
        """The verdict in words."""
        workers = counted(self.workers, "worker")
        where = f"{label(self.strategy)} at {workers}, {with_or_without(self.saving)}"
        spread = "" if isnan(self.low) else f" ({percent_span(self.low, self.high)})"
        return f"{where}: {self.cause}, {percent(self.share)}{spread}. {self.evidence} {self.advice}"


def verdicts(accounts: pd.DataFrame, inflations: pd.DataFrame) -> list[Verdict]:
    """A verdict for each strategy, worker count and saving flag of `account.accounts`, by the
    `ceilings.inflations` of the probes."""
    each = points(accounts, inflations) if len(accounts) else []
    return [_verdict(point, each, inflations) for point in each]


def _verdict(point: Point, others: Sequence[Point], inflations: pd.DataFrame) -> Verdict:
    replicas = (point.saving, Replicas.name, point.workers)
    machine = (other for other in others if (other.saving, other.strategy, other.workers) == replicas)
    machine_loss = next((other.share(*LOSSES)[0] for other in machine), nan)
    finding = work_itself(point) or within_noise(point) or leading_loss(point, inflations)
    loss = point.share(*LOSSES)[0]
    ranked = sorted((*LOSSES, "drift"), key=lambda name: -point.mean[name])
    shares = {name: point.share(name)[0] for name in ranked}
    evidence = f"{finding.evidence[0].upper()}{finding.evidence[1:]}."
    return Verdict(
        *(point.saving, point.strategy, point.workers, finding.cause, *point.share(*finding.of)),
        loss=loss,
        machine_loss=machine_loss,
        order=", ".join(f"{name} {percent(share)}" for name, share in shares.items() if round(100 * share)),
        evidence=evidence + _against_replicas(point, loss, machine_loss),
        advice=ADVICE[finding.cause],
    )


def _against_replicas(point: Point, loss: float, machine_loss: float) -> str:
    """Which part of the loss the machine would have taken from any strategy."""
    if isnan(machine_loss) or point.strategy in (Replicas.name, Sequential.name):
        return ""
    shares = [percent(share) for share in (loss, machine_loss, loss - machine_loss)]
    return " Of {} lost in all, replicas lose {} too; {} are the strategy's.".format(*shares)
