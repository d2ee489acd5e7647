"""Logs of processes on other machines, which come back piece by piece with the results of their work."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from augment.recording.log import HEADER, Header

if TYPE_CHECKING:
    from augment.recording.log_writer import Log


class Clock(NamedTuple):
    """Where the clock of this machine's logs stands, and by what it can be compared with another one's."""

    boot: str  # the same: these machines are one, and so are their clocks
    counter_s: float
    time_s: float  # since the epoch

    @classmethod
    def now(cls) -> Clock:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        return cls(boot, time.perf_counter(), time.time())

    def ahead_of(self, other: Clock) -> float:
        """By how many seconds its counter is ahead: none on one machine; on two as exact as these agree on
        the time of day."""
        if self.boot == other.boot:
            return 0.0
        return (self.counter_s - self.time_s) - (other.counter_s - other.time_s)


class LogPiece(NamedTuple):
    """What a process has entered in its log since its last piece."""

    node: str
    header: bytes
    blocks: bytes
    clock: Clock

    @classmethod
    def of(cls, log: Log, node: str) -> LogPiece:
        """What is new in a log of this process."""
        return cls(node, *log.news(), Clock.now())

    def add_to(self, logs: Path) -> None:
        """Adds it to the log of its process in the folder of a trial's logs."""
        header = Header._make(HEADER.unpack(self.header))
        shift_s, node = Clock.now().ahead_of(self.clock), self.node.encode()[:64]
        path = logs / f"{self.node.replace('/', '-')}-{header.thread}.log"
        with open(path, "r+b" if path.exists() else "xb") as file:
            file.write(HEADER.pack(*header._replace(shift_s=shift_s, node=node)))
            file.seek(0, 2)
            file.write(self.blocks)
