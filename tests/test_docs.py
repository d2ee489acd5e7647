"""The documentation builds and names everything; its commands and make targets work."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from augment.datasets.photos import PHOTOS
from experiments import ROOT
from tests.helpers.commands import interpreter

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDED = "augment experiments conf hydra_plugins tests augmentation_scaling.py run.py pyproject.toml"
NEEDED += " results/published"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout without its results."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in NEEDED.split():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


def test_every_code_block_on_extending_works(checkout: Path) -> None:
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


def test_documentation_builds_strictly_and_loads_nothing_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    done = interpreter(
        "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", f"{tmp_path}/site", cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 7
    for page in pages:
        loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="([^"]+)"', page.read_text())
        assert [address for address in loaded if "//" in address] == [], page


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_photo_is_listed_with_its_licence() -> None:
    page = (ROOT / "docs" / "images.md").read_text()
    for photo in PHOTOS:
        assert re.search(rf"^\| `{photo}` \| .+ \| .+ \| (public domain|CC0) \|$", page, re.MULTILINE), photo


def test_make_help_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [targets] = [line.split()[1:] for line in makefile.splitlines() if line.startswith(".PHONY:")]
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "strong-scaling" in targets
    assert [name for name in targets if f"  {name} " not in shown] == []


@pytest.mark.parametrize(
    ("arguments", "results"),
    [("", "results"), ("workers=2 results_dir=x", "x"), ("results_dir=x seed=1 results_dir=y", "y")],
)
@pytest.mark.parametrize("target", ["strong-scaling", "diagnose", "figures"])
def test_make_target_reports_the_results_it_measured(target: str, arguments: str, results: str) -> None:
    command = ["make", "-n", "-o", ".venv/.installed", target, f"ARGS={arguments}"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"experiments.report --results {results}" in listed.stdout
