"""How a process of a trial tells why it cannot go on. The first fault of the most weight is the
cause; the file `fault` beside the logs holds it, and whoever watches the trial ends the rest of it.
The file has its room before the trial begins, so that a full disk can be reported too."""

import fcntl
from enum import IntEnum
from pathlib import Path

NAME = "fault"
ROOM_BYTES = 16 * 1024


def prepare(logs: Path) -> None:
    """Makes room for the report of a fault."""
    (logs / NAME).write_bytes(bytes(ROOM_BYTES))


class Weight(IntEnum):
    """Which of several faults explains the others."""

    ENDED = 1  # a process ended early: its master may have ended it for another reason
    RAISED = 2  # an exception: another process's death may be behind it
    KILLED = 3  # a signal that no part of a trial sends


def report(logs: Path, line: str, weight: Weight = Weight.RAISED) -> None:
    """Reports a fault, unless one that weighs as much was reported before."""
    with open(logs / NAME, "r+b", buffering=0) as slot:
        fcntl.lockf(slot, fcntl.LOCK_EX)
        if weight > slot.read(1)[0]:
            slot.seek(0)
            slot.write(bytes([weight]) + line.encode("utf-8", "backslashreplace")[: ROOM_BYTES - 1])
            slot.truncate()


def reported(logs: Path) -> str | None:
    """The fault that ended the trial, if one was reported."""
    return (logs / NAME).read_bytes()[1:].rstrip(b"\0").decode("utf-8", "ignore") or None
