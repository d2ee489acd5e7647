"""The documentation builds and names everything; its commands and make targets work."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from albumentations import Compose, HorizontalFlip
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from augment.datasets.photos import PHOTOS, Photos
from experiments import ROOT
from tests.helpers.commands import composed, interpreter
from tests.pages import PAGES

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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which holds the images and modules that the pages name."""
    Photos().files(2, (64, 48), 0, tmp_path / "my_photos")
    for page in ("extending.md", "cookbook.md"):
        for language, code in BLOCK.findall((ROOT / "docs" / page).read_text()):
            name, _, rest = code.partition("\n")
            if language == "python" and "/" not in name:
                (tmp_path / name.removeprefix("# ")).write_text(rest)
    (tmp_path / "train.json").write_text(json.dumps(Compose([HorizontalFlip()]).to_dict()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", sorted({path.name for path in PAGES} - {"extending.md"}))
@pytest.mark.usefixtures("folder")
def test_printed_command_composes(name: str) -> None:
    [page] = [path for path in PAGES if path.name == name]
    for words in map(shlex.split, _commands(page)):
        if words[:2] == ["python", "run.py"] and not any(word.startswith("--") for word in words):
            overrides = OverridesParser.create().parse_overrides([word for word in words[2:] if "=" in word])
            composed(*(_first_value(override) for override in overrides))


@pytest.mark.slow
def test_every_command_of_the_cookbook_works_but_those_for_clusters(folder: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for name in ("run.py", "experiments", "augment", "augmentation_scaling.py"):
        (folder / name).symlink_to(ROOT / name)
    for line in _commands(ROOT / "docs" / "cookbook.md"):
        if not re.search("slurm_node|strategy.address=auto|--interleaved", line):
            words = ["bash", "-euc", line.replace("=advise ", "=advise advise.budget_s=40 ")]
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
            is_busy = "other processes took" in done.stderr  # so advise refuses an answer
            assert done.returncode == 0 or is_busy, f"{line}\n{done.stdout}{done.stderr}"
    assert len(list(Path("augmented").glob("**/*.png"))) == 40


def _commands(page: Path) -> list[str]:
    """Return the lines of a page's blocks for the shell."""
    code = "\n".join(code for language, code in BLOCK.findall(page.read_text()) if language == "bash")
    lines = code.replace("\\\n", "").splitlines()
    return [line.partition(" # ")[0] for line in lines if line]


def _first_value(override: Override) -> str:
    """Return an override as it is, or with the first of the values that it sweeps over."""
    if not override.is_sweep_override():
        return str(override.input_line)
    return f"{override.get_key_element()}={next(override.sweep_string_iterator())}"


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
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


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
