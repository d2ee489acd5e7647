"""Which code makes a result: the suite's own, and the libraries', of which it imports none."""

import ast
import hashlib
import platform
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from experiments import ROOT

UNKNOWN = "unknown"


def code_digest(package_dir: Path) -> str:
    """SHA-256 over the sorted lines `{relative path} {SHA-256 of its bytes}` of the package's .py files."""
    paths = sorted((path.relative_to(package_dir).as_posix(), path) for path in package_dir.rglob("*.py"))
    lines = (f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def source_digest(class_path: str) -> str | None:
    """SHA-256 of the source of the module that a class path names, with a line `{name} {version}` for each
    installed package that it imports; None where there is no such file."""
    parts = class_path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        with suppress(ImportError, ValueError):
            spec = find_spec(".".join(parts[:end]))
            if spec and spec.origin and Path(spec.origin).is_file():
                source = Path(spec.origin).read_bytes()
                lines = (f"{name} {version(name)}\n" for name in _packages(source))
                return hashlib.sha256(source + "".join(lines).encode()).hexdigest()
    return None


def _packages(source: bytes) -> list[str]:
    """The installed packages that a module's source imports anywhere; none where it is not Python's."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        return []
    imported = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    imported += [
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]
    return sorted({name for module in imported for name in _providers().get(module.partition(".")[0], [])})


_providers = cache(metadata.packages_distributions)


def git_commit() -> str | None:
    """Commit of the project, `+dirty` when a tracked file is changed; None without git or a repository."""
    if not (ROOT / ".git").exists():  # else git would answer for a repository around the project
        return None
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+dirty"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def versions() -> dict[str, str]:
    """Versions of what computes the pixels, under the names of their columns in a Trial."""
    return {
        "python_version": platform.python_version(),
        "numpy_version": version("numpy"),
        "opencv_version": version("opencv-python-headless"),
        "albumentations_version": version("albumentations"),
    }


def version(distribution: str) -> str:
    """Of an installed package, without importing it."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return UNKNOWN
