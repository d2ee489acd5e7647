"""The documentation names what there is, and the Makefile reports what it measured."""

import subprocess

import pytest

from augment.datasets.photos import PHOTOS
from experiments import ROOT


def test_every_photo_is_listed_with_its_licence() -> None:
    page = (ROOT / "docs" / "images.md").read_text()
    for photo in PHOTOS:
        assert f"| `{photo.name}` | {photo.title} | {photo.source} | {photo.licence} |" in page


def test_every_make_target_is_explained() -> None:
    page = (ROOT / "docs" / "using.md").read_text()
    targets = [
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text().splitlines()
        if ": $(READY)  ##" in line
    ]
    assert "strong-scaling" in targets
    assert [name for name in targets if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("arguments", "results"),
    [("", "results"), ("workers=2 results_dir=x", "x"), ("results_dir=x seed=1 results_dir=y", "y")],
)
@pytest.mark.parametrize("target", ["strong-scaling", "diagnose", "overhead", "figures"])
def test_a_make_target_reports_the_results_that_it_measured(
    target: str, arguments: str, results: str
) -> None:
    command = ["make", "-n", "-o", ".venv/.installed", target, f"ARGS={arguments}"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"experiments.report --results {results}" in listed.stdout
