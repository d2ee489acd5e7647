"""Commands as people give them, in a process of their own."""

import subprocess
import sys
from pathlib import Path

from experiments import ROOT


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`python run.py WORDS`, given in the folder `cwd`."""
    return interpreter(str(ROOT / "run.py"), *words, cwd=cwd)


def interpreter(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`python WORDS`, given in the folder `cwd`."""
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=100)
