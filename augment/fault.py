"""How a process of a trial tells why it cannot go on. The first fault is the cause, and the file
`fault` beside the logs holds it; whoever watches the trial ends the rest of it."""

import os
from contextlib import suppress
from pathlib import Path

NAME = "fault"


def report(logs: Path, line: str) -> None:
    """Reports a fault, unless one was reported before."""
    aside = logs / f"{NAME}.{os.getpid()}"
    aside.write_text(line, encoding="utf-8", errors="backslashreplace")
    with suppress(FileExistsError):  # a later fault follows from the first
        os.link(aside, logs / NAME)
    aside.unlink()


def reported(logs: Path) -> str | None:
    """The fault that ended the trial, if one was reported."""
    try:
        return (logs / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
