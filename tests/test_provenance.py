"""Which code made a result."""

import subprocess
from pathlib import Path

import pytest

from experiments.machine import provenance
from tests.helpers.files import put


def test_the_code_digest_changes_with_names_and_contents_of_python_files_only(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "1")
    put(tmp_path, "b/c.py", "2")
    digest = provenance.code_digest(tmp_path)
    put(tmp_path, "notes.txt", "3")
    assert provenance.code_digest(tmp_path) == digest
    (tmp_path / "a.py").rename(tmp_path / "d.py")
    renamed = provenance.code_digest(tmp_path)
    put(tmp_path, "b/c.py", "4")
    assert len({digest, renamed, provenance.code_digest(tmp_path)}) == 3


def test_a_commit_is_marked_when_a_tracked_file_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "ROOT", tmp_path)

    def git(*words: str) -> str:
        person = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *person, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert provenance.git_commit() is None, "no repository"
    git("init")
    assert provenance.git_commit() is None, "no commit"
    put(tmp_path, "file", "1")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert provenance.git_commit() == commit
    put(tmp_path, "untracked", "1")
    assert provenance.git_commit() == commit
    put(tmp_path, "file", "2")
    assert provenance.git_commit() == f"{commit}+dirty"
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() is None, "no git"


def test_a_git_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, timeout: float, **__: object) -> None:
        assert timeout == 2
        raise subprocess.TimeoutExpired("git", timeout)

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", hang)
    assert provenance.git_commit() is None


def test_versions_have_the_names_of_their_columns() -> None:
    versions = provenance.versions()
    assert [*versions] == ["python_version", "numpy_version", "opencv_version", "albumentations_version"]
    assert versions["albumentations_version"] == "2.0.8"
