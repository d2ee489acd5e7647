"""The process of a trial: it imports, tries pipelines in forks of itself, and waits for its one trial."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from augment.declaration import is_factory
from augment.images import error_line
from augment.options import OptionError
from augment.pipeline import check, check_on_image, check_reuse
from augment.runtime import THREAD_COUNT_VARIABLES
from augment.saved_pipeline import canonical
from augment.strategies import Strategy
from experiments import ROOT
from experiments.machine.conditions import conditions


class PipelineCheck(NamedTuple):
    """A pipeline to be tried before anything is measured, and whether reusing it is tried, too."""

    pipeline: dict[str, Any]
    is_reused: bool
    strategy: Strategy | None  # whose packages are loaded, too; None if it does not apply


class Checked(NamedTuple):
    """A pipeline's `canonical` declaration, and the `conditions` of a process that has tried it."""

    declaration: Any
    conditions: dict[str, Any]


class TrialProcess(subprocess.Popen[bytes]):
    """A process that was started for one trial. It ends when this process does."""

    def __init__(self, environment: dict[str, str], modules: Sequence[str] = ()) -> None:
        """Start it; it imports `modules` while it waits."""
        self.environment, self.cwd = environment, os.getcwd()
        self._connection, other_end = Pipe()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - until the trial begins
        with other_end:
            words = [str(other_end.fileno()), str(os.getpid()), *modules]
            super().__init__(
                [sys.executable, "-m", "experiments.trial.inside", *words],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                env=environment,
                start_new_session=True,
                pass_fds=[other_end.fileno()],
            )

    def check(self, check: PipelineCheck) -> Checked:
        """Try a pipeline in a fork of the process. Raises OptionError."""
        try:
            self._connection.send(check)
            answer = self._connection.recv()
        except (EOFError, BrokenPipeError):
            answer = f"a trial's process cannot start: {self._last_line()}"
        if isinstance(answer, str):
            raise OptionError(answer)
        return Checked(*answer)

    def begin(self, folder: Path) -> None:
        """Begin the trial that is described in a folder."""
        with suppress(BrokenPipeError):  # it has ended, which its supervisor sees
            self._connection.send(folder)
        self._close()

    @property
    def cpu_s(self) -> float:
        """The CPU seconds that it has used."""
        with suppress(psutil.NoSuchProcess):
            return sum(psutil.Process(self.pid).cpu_times()[:4])  # with the forks that tried pipelines
        return 0.0

    def discard(self) -> None:
        """End a process that is not needed."""
        self.kill()
        self.wait()
        self._close()

    def _close(self) -> None:
        self._connection.close()
        self._printed.close()

    def _last_line(self) -> str:
        self.wait()
        self._printed.seek(0)
        lines = self._printed.read().decode(errors="backslashreplace").strip().splitlines()
        return lines[-1] if lines else f"it ended with status {self.returncode}"


def received_folder(connection: Connection) -> Path:
    """Answer each check until the folder of the trial arrives, and return that."""
    while not isinstance(message := connection.recv(), Path):
        if (pid := os.fork()) == 0:
            connection.send(tried(message))
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            connection.send("pipeline: it crashed the process that tried it")
    return message


def tried(wanted: PipelineCheck) -> Checked | str:
    """Return what was checked of a pipeline, or why it cannot work."""
    try:
        check(wanted.pipeline)
        check_on_image(wanted.pipeline)
        if wanted.is_reused:
            check_reuse(wanted.pipeline)
        if wanted.strategy:
            wanted.strategy.load()
        return Checked(canonical(wanted.pipeline), conditions())
    except BaseException as error:  # a user's class may also exit
        return error_line(error)


def environment() -> dict[str, str]:
    """Return a trial's variables: one thread per library, and importable code."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    places = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    return os.environ | dict.fromkeys(THREAD_COUNT_VARIABLES, "1") | places


waiting: list[TrialProcess] = []  # for the next trial: one process, or none


def waiting_process(modules: Sequence[str] = ()) -> TrialProcess:
    """Return the process for the next trial, started now if none waits in the present environment."""
    wanted = environment()
    if waiting and (waiting[0].environment, waiting[0].cwd) != (wanted, os.getcwd()):
        waiting.pop().discard()
    if not waiting:
        waiting.append(TrialProcess(wanted, modules))
    return waiting[0]


def start_importing(pipeline: Mapping[str, Any]) -> None:
    """Let a process for the next trial import what a pipeline needs."""
    waiting_process([] if is_factory(pipeline) else ["augment.seeded_compose"])
