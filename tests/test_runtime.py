"""A process of a trial and the end of its parent."""

import os
import signal
from multiprocessing import get_context
from types import SimpleNamespace

import pytest

from augment.runtime import die_with_parent


def test_process_ends_if_its_parent_is_a_zombie(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = get_context("fork").Process(target=os._exit, args=(0,))
    dead.start()
    os.waitid(os.P_PID, dead.pid or 0, os.WEXITED | os.WNOWAIT)  # ended, and not reaped
    monkeypatch.setattr("multiprocessing.parent_process", lambda: SimpleNamespace(pid=dead.pid))
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace(prctl=lambda *_: 0))
    child = os.fork()
    if not child:
        die_with_parent()
        os.kill(os.getpid(), signal.SIGKILL)  # not reached
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    dead.join()
