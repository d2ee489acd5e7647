"""The measurement of two checkouts or environments in turns, so that both meet the same machine.

python -m experiments.sweep.interleaved A B ROUNDS RESULTS [WORD …], as `compare --interleaved` calls it.
"""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments import ROOT
from experiments.config.cell import replaced
from experiments.config.cli import plain_errors

ORDER_SEED = 0  # of who begins in each turn
ALONE = ("hydra.mode=RUN", "with_baseline=false", "with_ceiling=false", "with_interference=false")
ANEW = ("repetitions=1", "rerun=true")  # trials of an earlier day are no turn of this one


@plain_errors()
def measure(sides: Sequence[str], rounds: int, results: Path, words: Sequence[str]) -> None:
    """Measure every combination of words on both sides, into the folders `a` and `b` of the results.

    A side is a commit of this repository, the folder of a checkout, or a Python. In a round, both sides
    measure one cell, in an order drawn anew, before the next cell begins. Raises SystemExit.
    """
    folders = [results / name for name in "ab"]
    order = random.Random(ORDER_SEED)
    with ExitStack() as stack:
        commands = [stack.enter_context(_command(side)) for side in sides]
        for _, cell in product(range(rounds), combinations(words)):
            for command, folder in order.sample([*zip(commands, folders, strict=True)], 2):
                options = replaced([*cell, *ALONE, *ANEW], results_dir=str(folder.absolute()))
                _run([*command, *options])


def combinations(words: Sequence[str]) -> list[list[str]]:
    """Return the words of each combination that Hydra would sweep over."""
    [batch] = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides([*words]), None)
    return batch


@contextmanager
def _command(side: str) -> Iterator[list[str]]:
    """Yield the command of a side; a commit gets a checkout that is removed afterwards."""
    place = Path(side).absolute()
    if place.is_file():
        yield [str(place), str(ROOT / "run.py")]
    elif place.is_dir():
        own = place / ".venv/bin/python"
        yield [str(own if own.exists() else sys.executable), str(place / "run.py")]
    else:
        with tempfile.TemporaryDirectory() as folder:
            git = ["git", "-C", str(ROOT), "worktree"]
            _run([*git, "add", "--detach", "--quiet", folder, side])
            try:
                yield [sys.executable, f"{folder}/run.py"]
            finally:
                _run([*git, "remove", "--force", folder])


def _run(command: Sequence[str]) -> None:
    """Run a command. Raises SystemExit with what it printed if it fails."""
    # With PYTHONSAFEPATH a side would import the suite that PYTHONPATH names, not its own.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise SystemExit(f"{' '.join(command)}: {lines[-1]}")


if __name__ == "__main__":
    measure(sys.argv[1:3], int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
