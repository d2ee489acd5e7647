"""A warm parent: a process that has imported what a trial imports and forks one for each, which so begins
half a second sooner. The times of such a trial are others than those of a fresh process (by 7 % where it is
short): for tests and protocol=smoke, and told apart in the rows (`warm_parent`).

Started as `python -m experiments.measure.warm PARENT_PID`. Reads what each trial needs from stdin, a line of
JSON, and answers with the pid when it has begun and with its status when it has ended."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from signal import SIG_DFL, SIG_IGN, SIGINT, SIGTERM, default_int_handler, signal
from typing import Any

from augment.runtime import ONE_THREAD, die_with_parent
from experiments import ROOT
from experiments.measure import trial


class WarmTrial:
    """A trial that the warm parent has forked, with what its supervisor needs of `subprocess.Popen`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._parent = _parent(os.getpid())
        self.returncode: int | None = None
        request = {"folder": str(folder), "cwd": os.getcwd(), "environment": environment}
        try:
            print(json.dumps(request), file=self._parent.stdin, flush=True)
        except BrokenPipeError:
            raise _ended() from None
        self.pid = self._answer()

    def poll(self) -> int | None:
        """Its status if it is known to have ended."""
        return self.returncode

    def wait(self) -> int:
        """Its status when it has ended."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(self._answer())
        return self.returncode

    def _answer(self) -> int:
        assert self._parent.stdout
        line = self._parent.stdout.readline()
        if not line:
            raise _ended()
        return int(line)


def _ended() -> ChildProcessError:
    """The next trial starts a warm parent anew."""
    _parent.cache_clear()
    return ChildProcessError("the warm parent of the trials has ended")


@cache
def _parent(_of_pid: int) -> "subprocess.Popen[str]":
    """The one of this process, which ends with it."""
    command = [sys.executable, "-m", __name__, str(os.getpid())]
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": str(ROOT)}
    pipe: Any = subprocess.PIPE
    parent = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
    atexit.register(parent.__exit__, None, None, None)  # closes its stdin, which ends it
    return parent


def main(parent_pid: int) -> None:
    die_with_parent()
    if os.getppid() != parent_pid:
        return
    for number in (SIGINT, SIGTERM):  # that may be sent to the whole group is for the sweep
        signal(number, SIG_IGN)
    import albumentations  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        if (pid := os.fork()) == 0:
            _become(Path(request["folder"]), request["cwd"], request["environment"])
            trial.main(Path(request["folder"]), os.getppid())
            return
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(status, flush=True)


def _become(folder: Path, cwd: str, environment: dict[str, str]) -> None:
    """Makes this process what it would be if it had been started for the trial in `folder`."""
    signal(SIGINT, default_int_handler)
    signal(SIGTERM, SIG_DFL)
    os.setsid()
    with open(os.devnull, "rb") as nothing, open(folder / trial.OUTPUT, "wb") as output:
        for target, source in enumerate((nothing, output, output)):
            os.dup2(source.fileno(), target)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # asked for anew
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)


if __name__ == "__main__":
    main(int(sys.argv[1]))
