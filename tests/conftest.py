"""Commands that run in the process of the tests, and a count of the injected faults."""

import logging
import os
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hypothesis import settings

from experiments import ROOT
from experiments.trial import process
from tests.helpers.forked_trials import ForkedTrial

# No deadline, because a busy machine is no failure. CI runs the same examples every time, because nobody is
# there to look into a new one.
settings.register_profile("suite", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("suite")
settings.register_profile("few", max_examples=5, derandomize=True, deadline=None)


@pytest.fixture(autouse=True)
def forked_trials(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fork trials from a process that has imported everything, unless the test is marked `fresh`."""
    if not request.node.get_closest_marker("fresh"):
        monkeypatch.setattr(process, "TrialProcess", ForkedTrial)
    yield
    while process.waiting:
        process.waiting.pop().discard()


@dataclass(frozen=True)
class Ended:
    """The status and the output of a command."""

    status: int
    stdout: str
    stderr: str


RunPy = Callable[..., Ended]


@pytest.fixture
def run_py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunPy:
    """Run `python run.py WORDS` in this process, from an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("PYTHONPATH", "HYDRA_FULL_ERROR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    root = logging.getLogger()
    handlers = list(root.handlers)

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["run.py", *words])
        GlobalHydra.instance().clear()
        try:
            runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            for handler in set(root.handlers) - set(handlers):
                root.removeHandler(handler)
                handler.close()
        return Ended(status, *capsys.readouterr())

    return run


FAULTS: Counter[str] = Counter()


def tried(fault: str) -> None:
    """Count a fault that was injected and after which everything held that the test asserts."""
    FAULTS[fault] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FAULTS:
        terminalreporter.section("faults tried; rows lost, hangs, leftovers: none")
        for fault, count in sorted(FAULTS.items()):
            terminalreporter.line(f"{count:5}  {fault}")
