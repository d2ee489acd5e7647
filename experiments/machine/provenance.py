"""The code behind a result: digests of sources, and versions of libraries that need not be imported."""

import hashlib
import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from experiments import ROOT

UNKNOWN = "unknown"


def code_digest(package_dir: Path) -> str:
    """Return the SHA-256 of the sorted lines `{relative path} {SHA-256 of its bytes}` of all .py files."""
    paths = sorted((path.relative_to(package_dir).as_posix(), path) for path in package_dir.rglob("*.py"))
    lines = (f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def source_digest(class_path: str) -> str | None:
    """Return the SHA-256 of the module that a class path names; None if it has no file."""
    names = class_path.split(".")
    for end in range(len(names) - 1, 0, -1):
        with suppress(ImportError, ValueError):
            spec = find_spec(".".join(names[:end]))
            if spec and spec.origin and Path(spec.origin).is_file():
                return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
    return None


def git_commit() -> str | None:
    """Return the project's commit, `+dirty` if a tracked file is changed; None without git or repository."""
    if not (ROOT / ".git").exists():  # else git would answer for a repository around the project
        return None
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+dirty"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute pixels, by column of a trial."""
    return {
        "python_version": platform.python_version(),
        "numpy_version": version("numpy"),
        "opencv_version": version("opencv-python-headless"),
        "albumentations_version": version("albumentations"),
    }


def version(distribution: str) -> str:
    """Return the version of an installed package, or UNKNOWN."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return UNKNOWN
