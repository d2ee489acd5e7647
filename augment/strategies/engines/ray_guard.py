"""A watcher that ends Ray's processes when the process that started Ray is killed.

Run as `python ray_guard.py SESSION FOLDER`. A byte on stdin ends it. The end of stdin means that its
parent died: it then kills every process of the session and removes the folder.
"""

import os
import shutil
import signal
import sys
import time


def kill_session(session: int) -> bool:
    """Kill every process of a session; return False if there was none."""
    killed = False
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
                killed = True
        except ProcessLookupError:
            pass
    return killed


if __name__ == "__main__" and not sys.stdin.read(1):
    deadline = time.monotonic() + 5
    while kill_session(int(sys.argv[1])) and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(sys.argv[2], ignore_errors=True)
