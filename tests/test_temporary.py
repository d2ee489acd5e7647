"""Temporary folders: never lost while they are in use, and always removed once their owner is dead."""

import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from augment import temporary
from augment.temporary import PREFIX, locked, remove_abandoned, temporary_folder
from experiments import ROOT

HOLD = """
import sys, time
from pathlib import Path
from augment.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    for number in range(3000):
        (folder / str(number)).touch()
    print(folder, flush=True)
    if "hold" in sys.argv:
        time.sleep(60)
    print("removing", flush=True)
"""


def holder(parent: Path, *words: str) -> "tuple[subprocess.Popen[str], Path]":
    """Start a process that holds a folder of many files; return it and the folder."""
    command = [sys.executable, "-c", HOLD, str(parent), *words]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def lost_and_made(parent: Path) -> tuple[int, int]:
    """Make and use folders for two seconds; return how many were lost in use, and how many there were."""
    lost, made, end_s = 0, 0, time.monotonic() + 2
    while time.monotonic() < end_s:
        made += 1
        try:
            with temporary_folder(parent) as folder:
                (folder / "a").mkdir()
                (folder / "a" / "b").touch()
                (folder / "a" / "b").unlink()
        except OSError:
            lost += 1
    return lost, made


def test_no_folder_is_lost_while_others_look_for_abandoned_ones(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        counts = pool.map(lost_and_made, [tmp_path] * 4)
    assert sum(lost for lost, _ in counts) == 0
    assert sum(made for _, made in counts) > 100
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    (dead, abandoned), (living, in_use) = (holder(tmp_path, "hold") for _ in range(2))
    kill(dead)
    with temporary_folder(tmp_path):
        assert not abandoned.exists()
        assert len(list(in_use.iterdir())) == 3000
    kill(living)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.02])
def test_folder_whose_owner_was_killed_during_the_removal_is_removed(delay_s: float, tmp_path: Path) -> None:
    owner, _ = holder(tmp_path)
    assert owner.stdout
    owner.stdout.readline()
    time.sleep(delay_s)
    kill(owner)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_folder_of_another_host_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(temporary, "PREFIX", ".augment-another-")
        owner = temporary_folder(tmp_path)
        folder = owner.__enter__()
    remove_abandoned(tmp_path)
    assert folder.is_dir()
    owner.__exit__(None, None, None)


def test_folder_that_cannot_be_removed_at_once_is_removed_by_the_next_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, which keeps a file while somebody has it open."""
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with temporary_folder(tmp_path) as kept:
            pass
    assert kept.is_dir()
    with temporary_folder(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_folder_that_is_taken_for_abandoned_before_it_is_locked_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []

    def locked_too_late(folder: Path, wait: bool) -> object:
        if not removed:
            removed.append(folder)
            folder.rmdir()
        return locked(folder, wait)

    monkeypatch.setattr(temporary, "locked", locked_too_late)
    with temporary_folder(tmp_path) as folder:
        assert folder.is_dir()
        assert folder not in removed
    assert folder.name.startswith(PREFIX)
