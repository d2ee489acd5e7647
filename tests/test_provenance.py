"""Which code made a result."""

import subprocess
from pathlib import Path

import pytest

from experiments.machine import environment
from tests.helpers.files import put


def test_the_code_digest_changes_with_names_and_contents_of_python_files_only(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "1")
    put(tmp_path, "b/c.py", "2")
    digest = environment.code_digest(tmp_path)
    put(tmp_path, "notes.txt", "3")
    assert environment.code_digest(tmp_path) == digest
    (tmp_path / "a.py").rename(tmp_path / "d.py")
    renamed = environment.code_digest(tmp_path)
    put(tmp_path, "b/c.py", "4")
    assert len({digest, renamed, environment.code_digest(tmp_path)}) == 3


def test_a_commit_is_marked_when_a_tracked_file_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "CHECKOUT", tmp_path)

    def git(*words: str) -> str:
        person = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *person, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert environment.git_commit() is None, "no repository"
    git("init")
    assert environment.git_commit() is None, "no commit"
    put(tmp_path, "file", "1")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert environment.git_commit() == commit
    put(tmp_path, "untracked", "1")
    assert environment.git_commit() == commit
    put(tmp_path, "file", "2")
    assert environment.git_commit() == f"{commit}+dirty"
    monkeypatch.setenv("PATH", "")
    assert environment.git_commit() is None, "no git"


def test_a_git_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, timeout: float, **__: object) -> None:
        assert timeout == 2
        raise subprocess.TimeoutExpired("git", timeout)

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(environment, "CHECKOUT", tmp_path)
    monkeypatch.setattr(subprocess, "run", hang)
    assert environment.git_commit() is None


def test_versions_are_those_of_what_is_installed() -> None:
    assert environment.machine_columns()["albumentations_version"] == "2.0.8"
    assert environment.version("no-such-package") == environment.UNKNOWN
