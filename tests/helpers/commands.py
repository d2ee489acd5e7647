"""Commands as people give them, in a process of their own, and the cells that they compose."""

import subprocess
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

from experiments import ROOT
from experiments.config.cell import Cell
from experiments.config.cli import prepare
from experiments.sweep.jobs import cell_of


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python run.py WORDS` in the folder `cwd`."""
    return interpreter(str(ROOT / "run.py"), *words, cwd=cwd)


def interpreter(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in the folder `cwd`."""
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=100)


def composed(*overrides: str) -> Cell:
    """Compose a cell from conf/ as a command with these overrides does."""
    prepare()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return cell_of(compose("config", overrides=list(overrides), return_hydra_config=True))
