"""What libraries written in C print on stderr, where Python cannot ask them for it."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# libjpeg's messages when it invents pixels. Harmless, so left out: a few extraneous bytes, which cameras
# leave, and a bad colour profile, which is not used. Many bytes before the end (d9) are lost picture.
INVENTED_PIXELS = re.compile(
    r"Corrupt JPEG data: (?!\d+ extraneous|bad ICC).*|.* \d{3,} extraneous bytes before marker 0xd9"
    r"|Premature end of JPEG file|Inconsistent progression.*"
)
# Where in OpenCV's code a message comes from, and the break before its continuation.
ORIGIN = re.compile(
    r"\[ *\w+:[\d@.]+\] global \S+ \S+ |imdecode_\(''\): |OpenCV\(\S+ \S+ error: \([^)]*\) "
    r"|\s*in function '.*'|\n(?=>)"
)
PIPE_BYTES = 1 << 16


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Keeps the stderr of the whole process from the user meanwhile: yields a function that returns
    what was written since its last call, up to 64 KiB."""
    stderr = os.dup(2)
    # What a full pipe cannot take is lost, nothing waits.
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.dup2(writer, 2)
    os.close(writer)
    try:
        yield lambda: _messages(reader)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(reader)


def _messages(reader: int) -> str:
    try:
        return ORIGIN.sub("", os.read(reader, PIPE_BYTES).decode(errors="backslashreplace").strip())
    except BlockingIOError:
        return ""
