"""Trials that are forked from a process that has imported everything, which saves 0.7 s of CPU for each.

Their times differ from those of fresh processes (by 7 % where they are short), so only tests fork trials."""

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from signal import SIG_DFL, SIG_IGN, SIGINT, SIGTERM, default_int_handler, signal
from typing import Any
from unittest.mock import patch

import psutil

from augment.options import OptionError
from augment.runtime import THREAD_COUNT_VARIABLES, die_with_parent
from experiments import ROOT
from experiments.machine import conditions
from experiments.trial import inside
from experiments.trial.process import tried

PRINTED = "printed.txt"


class ForkedTrial:
    """A forked trial with the parts of `TrialProcess` that its supervisor uses."""

    def __init__(self, environment: dict[str, str], folder: str, modules: tuple[str, ...]) -> None:
        self.environment, self.cwd = environment, folder
        self.surroundings = environment, folder, modules
        self.pid, self.cpu_s = 0, 0.0  # until it begins
        self.returncode: int | None = None

    def check(self, *wanted: Any) -> dict[str, Any]:
        variables = patch.object(conditions, "VARIABLES", _chosen(self.environment))
        with variables, patch.dict(os.environ, self.environment, clear=True):
            answer = tried(*wanted)
        if isinstance(answer, str):
            raise OptionError(answer)
        return answer

    def begin(self, folder: Path) -> None:
        self.printed = folder / PRINTED
        print(json.dumps([str(folder), self.cwd, self.environment]), file=_parent().stdin, flush=True)
        self.pid = _answer()

    def end_line(self) -> str:
        lines = self.printed.read_text(errors="backslashreplace").strip().splitlines()
        return f"ended with status {self.wait()}: {lines[-1] if lines else 'it printed nothing'}"

    def discard(self) -> None:
        """Do nothing: it has ended, or has not begun."""

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its status when it has ended. Raises TimeoutExpired."""
        if self.returncode is None:
            try:
                psutil.Process(self.pid).wait(timeout)
            except psutil.TimeoutExpired as error:
                raise subprocess.TimeoutExpired("a forked trial", timeout or 0) from error
            except psutil.NoSuchProcess:
                pass
            self.returncode = os.waitstatus_to_exitcode(_answer())
        return self.returncode


@cache
def _parent() -> "subprocess.Popen[str]":
    """Start the process that forks the trials of this one."""
    command = [sys.executable, "-m", __name__, str(os.getpid())]
    environment = os.environ | dict.fromkeys(THREAD_COUNT_VARIABLES, "1") | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    atexit.register(parent.__exit__, None, None, None)  # closes its stdin, which ends it
    return parent


def _answer() -> int:
    stdout = _parent().stdout
    assert stdout
    return int(stdout.readline())


def main(tests_pid: int) -> None:
    """Fork a trial for each line of stdin; answer with its pid at once, and with its status when it ends."""
    die_with_parent()
    if os.getppid() != tests_pid:
        return
    for number in (SIGINT, SIGTERM):  # a signal to the whole group is for the tests
        signal(number, SIG_IGN)
    import albumentations  # noqa: F401

    for line in sys.stdin:
        folder, cwd, environment = json.loads(line)
        if (pid := os.fork()) == 0:
            _become(cwd, environment)
            with open(Path(folder) / PRINTED, "wb") as printed:
                for target in (1, 2):
                    os.dup2(printed.fileno(), target)
            die_with_parent()
            inside.run(Path(folder))
            return
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


def _chosen(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that a process of this environment records."""
    return {name: environment[name] for name in sorted(environment) if conditions.CHOSEN.fullmatch(name)}


def _become(cwd: str, environment: dict[str, str]) -> None:
    """Make this process what it would be if it had been started for a trial."""
    signal(SIGINT, default_int_handler)
    signal(SIGTERM, SIG_DFL)
    os.setsid()
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    conditions.VARIABLES = _chosen(environment)
    sys.path[:] = [*environment["PYTHONPATH"].split(os.pathsep), *sys.path, cwd]


if __name__ == "__main__":
    main(int(sys.argv[1]))
