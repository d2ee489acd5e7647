"""One direction: run.py → experiments → augment; reports read what is stored and measure nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from augment.datasets.photos import PHOTOS
from experiments import ROOT

MEASURING = {"experiments.measure", "experiments.plan", "hydra"}
FORBIDDEN = {
    "augment": {"experiments", "hydra", "omegaconf", "pandas", "pyarrow", "matplotlib"},
    "experiments": {"run"},
    "experiments/analysis": MEASURING,
    "experiments/report": MEASURING,
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_nothing_reaches_up(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        for name in imported(path):
            reached = {top for top in FORBIDDEN[folder] if name == top or name.startswith(f"{top}.")}
            assert not reached, f"{path.relative_to(ROOT)} imports {name}"


def test_the_readme_lists_every_photo_with_its_licence() -> None:
    readme = (ROOT / "README.md").read_text()
    for photo in PHOTOS:
        assert f"| `{photo.name}` | {photo.title} | {photo.source} | {photo.licence} |" in readme


def test_the_readme_names_every_make_target_that_measures() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = [
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text().splitlines()
        if ": $(READY)  ##" in line
    ]
    assert "strong-scaling" in targets
    assert [name for name in targets if f"`{name}`" not in readme and f"make {name}" not in readme] == []
