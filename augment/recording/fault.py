"""How a process of a trial reports why it cannot go on. The first fault of the greatest severity is the
cause; the file `fault` beside the logs holds it, and the supervisor then ends the rest of the trial.
The file has its room before the trial begins, so that a full disk can be reported too."""

import fcntl
from enum import IntEnum
from pathlib import Path

NAME = "fault"
ROOM_BYTES = 16 * 1024


def prepare(logs: Path) -> None:
    """Makes room for the report of a fault."""
    (logs / NAME).write_bytes(bytes(ROOM_BYTES))


class Severity(IntEnum):
    """Which of several faults explains the others."""

    ENDED = 1  # a process ended early: its master may have ended it for another reason
    RAISED = 2  # an exception: another process's death may be behind it
    DIED = 3  # of a signal that no part of a trial sends, or by an exit in mid-task


def report(logs: Path, line: str, severity: Severity = Severity.RAISED) -> None:
    """Reports a fault, unless one as severe was reported before."""
    with open(logs / NAME, "r+b", buffering=0) as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        if severity > file.read(1)[0]:
            file.seek(0)
            file.write(bytes([severity]) + line.encode("utf-8", "backslashreplace")[: ROOM_BYTES - 1])
            file.truncate()


def reported(logs: Path) -> str | None:
    """The fault that ended the trial, if one was reported."""
    return (logs / NAME).read_bytes()[1:].rstrip(b"\0").decode("utf-8", "ignore") or None
