"""What libraries written in C say on stderr, where Python cannot ask them."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# What libjpeg says when it makes pixels up. Not so: a few bytes too many, which cameras leave; a bad
# colour profile, which is not used. But many before the end (d9) are of a picture it lost track of.
MADE_UP = re.compile(
    r"Corrupt JPEG data: (?!\d+ extraneous|bad ICC).*|.* \d{3,} extraneous bytes before marker 0xd9"
    r"|Premature end of JPEG file|Inconsistent progression.*"
)
# Where in OpenCV's code a message comes from, and how it goes on in a new line.
ORIGIN = re.compile(
    r"\[ *\w+:[\d@.]+\] global \S+ \S+ |imdecode_\(''\): |OpenCV\(\S+ \S+ error: \([^)]*\) "
    r"|\s*in function '.*'|\n(?=>)"
)
MOST_BYTES = 1 << 16


@contextmanager
def overheard() -> Iterator[Callable[[], str]]:
    """Keeps from the user what the whole process writes to stderr meanwhile: gives a function that
    tells what was written since it was asked last, up to 64 KiB."""
    kept = os.dup(2)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)  # when it is full the rest is lost, not the time
    os.dup2(writer, 2)
    os.close(writer)
    try:
        yield lambda: _pending(reader)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(reader)


def _pending(reader: int) -> str:
    try:
        text = os.read(reader, MOST_BYTES).decode(errors="backslashreplace")
    except BlockingIOError:
        return ""
    return ORIGIN.sub("", text.strip())
