"""A watcher that ends Ray's processes when the process that started Ray is killed.

Run as `python ray_guard.py SESSION FOLDER`. A byte on stdin ends it. The end of stdin means that its
parent died: it then kills every process of the session and removes the folder.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress

if not sys.stdin.read(1):
    for _attempt in range(100):  # because a process may have started others meanwhile
        for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
            with suppress(ProcessLookupError):
                if os.getsid(pid) == int(sys.argv[1]):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(sys.argv[2], ignore_errors=True)
