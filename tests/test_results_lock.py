"""The lock of a results folder: commands take turns, and no dead one blocks another."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments import ROOT
from experiments.store import StoreError
from experiments.sweep.results_lock import exclusive_use, prepare
from tests.helpers.commands import wait_until

TAKE_TURNS = """
import os, sys, time
from pathlib import Path
from experiments.sweep.results_lock import exclusive_use
results = Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with exclusive_use(results):
        with open(results / "turns", "a") as turns:
            turns.write(f"{os.getpid()}\\n")
        time.sleep(float(sys.argv[3]))
"""


def sweep(results: Path, n_turns: int, turn_s: float) -> "subprocess.Popen[str]":
    """Start a command that takes turns, each of which enters its pid in a file."""
    command = [sys.executable, "-c", TAKE_TURNS, str(results), str(n_turns), str(turn_s)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def turns(results: Path) -> list[int]:
    return (
        [int(line) for line in (results / "turns").read_text().split()]
        if (results / "turns").exists()
        else []
    )


def waiting(results: Path) -> int:
    """Return how many commands have or wait for their turn."""
    return len(list(results.glob(".augment-*-turn-*")))


def test_commands_take_turns_in_order_trial_by_trial(tmp_path: Path) -> None:
    sweeps = [sweep(tmp_path, 40, 0.05) for _ in range(3)]
    errors = [each.communicate()[1] for each in sweeps]
    order, pids = turns(tmp_path), [each.pid for each in sweeps]
    first, last = (
        max(order.index(pid) for pid in pids),
        min(len(order) - order[::-1].index(pid) for pid in pids),
    )
    together = order[first:last]
    assert len(together) > 30, "they have measured at the same time"
    assert all({*together[at : at + 3]} == {*pids} for at in range(len(together) - 2)), together
    for error, pid in zip(errors, pids, strict=True):
        lines = error.splitlines()
        assert {*lines} <= {f"waiting for the sweep of pid {other}" for other in pids if other != pid}
        assert len(lines) == len({*lines}), "each is said once"
    assert [path.name for path in tmp_path.iterdir()] == ["turns"]


@pytest.mark.parametrize("victim", ["holder", "waiter"])
def test_killed_command_blocks_nobody(victim: str, tmp_path: Path) -> None:
    started = []
    for turn_s in (60, 60, 0):
        started.append(sweep(tmp_path, 1, turn_s))
        wait_until(lambda: waiting(tmp_path) == len(started))
    holder, waiter, last = started
    for each in (holder, waiter) if victim == "holder" else (waiter, holder):
        each.send_signal(signal.SIGKILL)
    assert last.wait(timeout=60) == 0
    assert turns(tmp_path)[-1] == last.pid
    prepare(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["turns"]
    for each in started:
        each.communicate()


def test_command_knows_if_it_has_waited(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        with exclusive_use(tmp_path) as has_waited:
            assert not has_waited
            later = thread.submit(lambda: exclusive_use(tmp_path).__enter__())
            wait_until(lambda: waiting(tmp_path) == 2)
        assert later.result(60)


def test_failed_turn_is_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), exclusive_use(tmp_path):
            _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for use in (prepare, lambda results: exclusive_use(results).__enter__()):
        with pytest.raises(StoreError, match=r"^results_dir=.*/file: cannot be written: .*; give a folder"):
            use(tmp_path / "file")
