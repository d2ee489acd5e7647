"""Inputs are the same when their names and bytes are, wherever and whenever they were stored."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from experiments.sweep.inputs import inputs_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (folder := tmp_path / "images").mkdir()
    for name in ("b.png", "a.png"):
        (folder / name).write_bytes(name.encode())
    return folder


def digest(folder: Path) -> str:
    return inputs_digest(list(folder.iterdir()))


def test_digest_is_that_of_the_sorted_lines(folder: Path) -> None:
    lines = (f"{name} 5 {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("a.png", "b.png"))
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest(folder) == expected


def test_digest_of_a_copied_folder_is_equal(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert digest(tmp_path / "elsewhere") == digest(folder)


def test_digest_changes_with_bytes_of_equal_size_and_time(folder: Path) -> None:
    before, times = digest(folder), os.stat(folder / "a.png")
    (folder / "a.png").write_bytes(b"A.png")
    os.utime(folder / "a.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(folder) != before


def test_digest_changes_with_a_name(folder: Path) -> None:
    before = digest(folder)
    (folder / "a.png").rename(folder / "c.png")
    assert digest(folder) != before


def test_digest_covers_unreadable_files_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / os.fsdecode(b"\xff.png")).symlink_to("nowhere")
    files = [folder / "fifo.png", folder / "zero.png", folder / os.fsdecode(b"\xff.png")]
    lines = b"fifo.png - NotRegularError\nzero.png - NotRegularError\n\xff.png - FileNotFoundError\n"
    assert inputs_digest(files) == hashlib.sha256(lines).hexdigest()
