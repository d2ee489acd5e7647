"""The documentation builds, and what it says to do works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDED = (
    "augment",
    "experiments",
    "conf",
    "hydra_plugins",
    "tests",
    "run.py",
    "pyproject.toml",
    "results/published",
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, without what was measured in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


def test_every_block_of_the_page_on_extending_works(checkout: Path) -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(checkout)}
    blocks = BLOCK.findall(text)
    assert {language for language, _ in blocks} == {"python", "yaml", "bash"}
    for language, code in blocks:
        if language == "bash":
            words = ["bash", "-euc", code]
            done = subprocess.run(
                words, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        else:
            first, _, rest = code.partition("\n")
            path = checkout / first.removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rest)
    assert "The slowest trials" in (checkout / "results/report/index.html").read_text()


def test_the_documentation_builds_strictly_and_asks_nothing_of_others(tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 7
    for page in pages:
        loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="([^"]+)"', page.read_text())
        assert [address for address in loaded if "//" in address] == [], page


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
