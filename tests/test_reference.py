"""The reference run: every committed table and chart follows from the committed rows."""

import re
from contextlib import suppress

import pytest

from experiments import ROOT
from experiments.analysis.select import NoTrialsError
from experiments.calibration.__main__ import read_cases
from experiments.calibration.confusion import confusion_table
from experiments.report.results import Results
from experiments.report.sections import FOLDER, reportable, sections_of
from tests.helpers.stored_results import shown

REFERENCE = ROOT / "results" / "reference" / "amd-epyc-2cpus"
EXPERIMENTS = [FOLDER, *reportable(REFERENCE)]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_committed_tables_are_those_of_the_committed_rows(experiment: str) -> None:
    results = Results(REFERENCE, experiment)
    texts: dict[str, str] = {}
    for section in sections_of(experiment):
        with suppress(NoTrialsError):
            tables, _ = shown(results, section.name)
            texts |= {f"{stem}.md": content.markdown() for stem, content in tables.items()}
    committed = (REFERENCE / "tables" / experiment).glob("*.md")
    assert texts == {path.name: path.read_text(encoding="utf-8") for path in committed}, "make reference"


def test_committed_calibration_is_that_of_the_committed_cases() -> None:
    table = confusion_table(read_cases(REFERENCE / "calibration" / "cases.csv"))
    assert table.markdown() == (REFERENCE / "calibration" / "table.md").read_text(encoding="utf-8")


def test_folder_of_figures_holds_what_pages_show_and_nothing_else() -> None:
    images = {
        (page.parent / address).resolve()
        for page in PAGES
        for address in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert images == {path.resolve() for path in (ROOT / "docs" / "figures").rglob("*.png")}
