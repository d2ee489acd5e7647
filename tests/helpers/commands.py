"""Commands as people give them, the cells that they compose, and what happens beside them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from experiments import ROOT
from experiments.config.cell import Cell
from experiments.config.options import register
from experiments.sweep.jobs import cell_of


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python run.py WORDS` in the folder `cwd`."""
    return interpreter(str(ROOT / "run.py"), *words, cwd=cwd)


def started(*words: str, cwd: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start `python run.py WORDS`, which can import the tests, and return without waiting for it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *words], cwd=cwd, env=environment, **options
    )


def interpreter(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in the folder `cwd`."""
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=100)


def composed(*overrides: str) -> Cell:
    """Compose a cell from conf/ as a command with these overrides does."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return cell_of(compose("config", overrides=list(overrides), return_hydra_config=True))


def wait_until(condition: Callable[[], object], timeout_s: float = 60) -> None:
    """Return when the condition is true, or after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


@contextmanager
def meanwhile(work: Callable[..., object], *args: object) -> Iterator[None]:
    """Do some work in a thread beside the block."""
    thread = threading.Thread(target=work, args=args)
    thread.start()
    yield
    thread.join()
