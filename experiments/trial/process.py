"""The process of a trial: it imports, tries pipelines in forks of itself, and waits for its one trial."""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import psutil

from augment.declaration import Declaration, is_factory
from augment.images import error_line
from augment.options import OptionError
from augment.pipeline import check, check_on_image, check_reuse
from augment.runtime import THREAD_COUNT_VARIABLES
from augment.saved_pipeline import canonical
from augment.strategies import Strategy
from experiments import ROOT
from experiments.machine.conditions import conditions
from experiments.store.columns import digest_of


class TrialProcess(subprocess.Popen[bytes]):
    """A process that was started for one trial. It ends when this process does."""

    def __init__(self, environment: dict[str, str], folder: str, modules: tuple[str, ...]) -> None:
        """Start it in a folder; it imports `modules` while it waits."""
        self.surroundings = environment, folder, modules
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
                cwd=folder,
                start_new_session=True,
                pass_fds=[other_end.fileno()],
            )

    def check(self, *wanted: Any) -> dict[str, Any]:
        """Return what `tried` returns for these arguments in a fork of the process. Raises OptionError."""
        try:
            self._connection.send(wanted)
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            answer = f"a trial's process {self.end_line()}"
        if isinstance(answer, str):
            raise OptionError(answer)
        return dict(answer)

    def begin(self, folder: Path) -> None:
        """Begin the trial that is described in a folder."""
        self._printed.seek(0)  # of the process, too
        self._printed.truncate()
        with suppress(ConnectionError):  # it has ended, which its supervisor sees
            self._connection.send(folder)

    @property
    def cpu_s(self) -> float:
        """Return the CPU seconds used so far, with the forks that tried pipelines; none once it has ended."""
        return sum(psutil.Process(self.pid).cpu_times()[:4]) if self.poll() is None else 0.0

    def end_line(self) -> str:
        """Return how the process ended, with the last line that it printed."""
        status = self.wait()
        self._printed.seek(0)
        lines = self._printed.read().decode(errors="backslashreplace").strip().splitlines()
        return f"ended with status {status}: {lines[-1] if lines else 'it printed nothing'}"

    def discard(self) -> None:
        """End the process, which is not needed any more."""
        self.kill()
        self.wait()
        self._connection.close()
        self._printed.close()


def received_folder(connection: Connection) -> Path:
    """Answer each check until the folder of the trial arrives, and return that."""
    while not isinstance(message := connection.recv(), Path):
        if (pid := os.fork()) == 0:
            connection.send(tried(*message))
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            connection.send("pipeline: it crashed the process that tried it")
    return message


def tried(pipeline: Declaration, is_reused: bool, strategy: Strategy | None) -> dict[str, Any] | str:
    """Return the columns that hold for a pipeline, tried in this process, or why it cannot work.

    It is tried also for being reused, and with the packages of a strategy, if one is given.
    """
    try:
        check(pipeline)
        check_on_image(pipeline)
        if is_reused:
            check_reuse(pipeline)
        if strategy:
            strategy.load()
        return conditions() | {"pipeline_digest": digest_of(canonical(pipeline))}
    except BaseException as error:  # a user's class may also exit
        return error_line(error)


waiting: list[TrialProcess] = []  # for the next trial: one process, or none


def waiting_process(pipeline: Declaration) -> TrialProcess:
    """Return the process for the next trial, started now if none waits that fits.

    It imports what the pipeline needs, and not what another one does, because its row lists its packages.
    """
    folders = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = dict.fromkeys(THREAD_COUNT_VARIABLES, "1")
    variables |= {"PYTHONPATH": os.pathsep.join(folders), "PYTHONSAFEPATH": "1"}
    modules = () if is_factory(pipeline) else ("augment.seeded_compose",)
    wanted = os.environ | variables, os.getcwd(), modules
    if waiting and waiting[0].surroundings != wanted:
        waiting.pop().discard()
    if not waiting:
        waiting.append(TrialProcess(*wanted))
    return waiting[0]
