"""Reports of why a process of a trial cannot go on.

The first fault of the greatest severity is the cause. The file `fault` beside the logs holds it, and the
supervisor then ends the rest of the trial. The file has its room before the trial begins, so that a full disk
can be reported too.
"""

import fcntl
import struct
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

NAME = "fault"
ROOM_BYTES = 16 * 1024
HEAD = struct.Struct("<Bq")  # severity and image, before the line


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


class Fault(NamedTuple):
    """The reason why a trial ended; `decoding` are the indices of images that a decoder did not survive."""

    line: str
    decoding: tuple[int, ...] = ()


def report(logs: Path, line: str, severity: Severity = Severity.FAILED, decoding: int | None = None) -> None:
    """Report a fault, unless the reported one is as severe."""
    with open(logs / NAME, "r+b", buffering=0) as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        before = file.read(1)[0]  # LEFT stays before KILLED, because an executor kills the rest if one leaves
        if severity > before and (before, severity) != (Severity.LEFT, Severity.KILLED):
            file.seek(0)
            content = line.encode("utf-8", "backslashreplace")[: ROOM_BYTES - HEAD.size]
            file.write(HEAD.pack(severity, -1 if decoding is None else decoding) + content)
            file.truncate()


def reported(logs: Path) -> Fault | None:
    """Return the fault that ended the trial, if one was reported."""
    content = (logs / NAME).read_bytes()
    severity, decoding = HEAD.unpack_from(content)
    line = content[HEAD.size :].rstrip(b"\0").decode("utf-8", "ignore")
    return Fault(line, () if decoding < 0 else (decoding,)) if severity else None
