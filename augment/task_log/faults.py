"""Reports of why a process of a trial cannot go on.

The first fault of the greatest severity is the cause. The file `fault` beside the logs holds it, and the
supervisor then ends the rest of the trial. The file has its room before the trial begins, so that a full disk
can be reported too.
"""

import fcntl
from enum import IntEnum
from pathlib import Path

NAME = "fault"
ROOM_BYTES = 16 * 1024


def prepare(logs: Path) -> None:
    """Make room for the report of a fault."""
    (logs / NAME).write_bytes(bytes(ROOM_BYTES))


class Severity(IntEnum):
    """An order of faults: a greater one explains the others."""

    ENDED = 1  # a process ended early: its master may have ended it for another reason
    RAISED = 2  # an exception outside tasks: the end of another process may be behind it
    LEFT = 3  # a process ended of its own accord in mid-task
    FAILED = 4  # an exception in a task, or at the start of a process
    KILLED = 5  # a signal that no part of a trial sends


def report(logs: Path, line: str, severity: Severity = Severity.FAILED) -> None:
    """Report a fault, unless the reported one is as severe.

    A killed process does not outdo one that left, because an executor kills the rest for that.
    """
    with open(logs / NAME, "r+b", buffering=0) as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        before = file.read(1)[0]
        if severity > before and (before, severity) != (Severity.LEFT, Severity.KILLED):
            file.seek(0)
            file.write(bytes([severity]) + line.encode("utf-8", "backslashreplace")[: ROOM_BYTES - 1])
            file.truncate()


def reported(logs: Path) -> str | None:
    """Return the fault that ended the trial, if one was reported."""
    return (logs / NAME).read_bytes()[1:].rstrip(b"\0").decode("utf-8", "ignore") or None
