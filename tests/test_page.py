"""The page: one file, from parquet alone, that answers first."""

import re
from pathlib import Path

import pytest

from experiments.report.page import main
from experiments.store import files as store
from tests.helpers.stored_results import stored
from tests.helpers.task_rows import cell, copies
from tests.helpers.trial_rows import BEGIN, Row, repeated, trial

pytestmark = pytest.mark.once
HEADINGS = re.compile(r"<h2>([^<]+)</h2>")


def built(folder: Path) -> str:
    main(["--results", str(folder)])
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    stored(folder, cell("sequential", 1), cell("p1", 2), cell("p2", 2), copies(2))
    return folder


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    return built(results)


def planned(folder: Path, *cells: tuple[str, str, int]) -> None:
    """Return a plan of cells: the name of its trials, a label and their target."""
    known: Row = {"sweep": "s", "experiment": "strong_scaling", "started_at": BEGIN, "pipeline": "study"}
    known |= {"runtime_name": "study"}
    rows = [
        known | {"cell": name, "label": label, "command": f"python run.py {label}", "trials": trials}
        for name, label, trials in cells
    ]
    store.write_before(folder, "plans", rows)


def test_page_holds_all_that_it_needs(page: str) -> None:
    addresses = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']*)""", page)
    addresses += re.findall(r"url\(([^)]*)", page)
    assert addresses
    assert {address.partition(":")[0].partition("#")[0] for address in addresses} <= {"data", ""}
    assert "default-src 'none'" in page
    assert "@import" not in page


def test_chapters_show_what_was_measured_in_order(page: str) -> None:
    headings = HEADINGS.findall(page)
    assert headings[:2] == ["The machine", "Strong scaling"]
    assert headings[-1] == "How to reproduce"
    assert "Weak scaling" not in headings, "not measured"


def test_charts_have_words_and_tables_their_numbers(page: str) -> None:
    charts = page.count('<figure class="chart">')
    assert charts >= 4
    assert len(re.findall(r'role="img" aria-label="[^"]{20,}"', page)) == charts
    assert page.count('download="') >= charts + page.count('<figure class="table">')


def test_names_of_the_user_are_text(tmp_path: Path) -> None:
    error = "<script>alert(1)</script>"
    stored(tmp_path, cell("sequential", 1), trials=[trial("p2", 2, 1.0, warnings=error, command=error)])
    assert error not in built(tmp_path)


def test_missing_cells_are_shown_as_missing_until_they_are_there(tmp_path: Path) -> None:
    first, later = (repeated("p2", workers, 1.0, 1.1, cell=f"c{workers}") for workers in (2, 4))
    planned(tmp_path, ("c2", "p2-2w", 2), ("c4", "p2-4w", 2))
    stored(tmp_path, trials=[*first, later[0]])
    before = built(tmp_path)
    assert "Not finished: 1 cell lacks trials" in before
    assert "1 of 2" in before
    assert "python run.py p2-4w" in before
    stored(tmp_path, trials=later[1:])
    assert "Not finished" not in built(tmp_path)


def test_same_results_make_the_same_page(results: Path, page: str) -> None:
    assert built(results) == page


def test_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no results yet"):
        main(["--results", str(tmp_path)])


def test_table_that_experiments_have_in_common_stands_once(tmp_path: Path) -> None:
    for experiment in ("adhoc", "mine"):
        stored(tmp_path, trials=[trial("p2", 2, 1.0, experiment=experiment)])
    assert built(tmp_path).count("<figcaption>Experimental environment ") == 1
    other = trial("p2", 2, 1.0, experiment="other", environment='{"CPU": "another processor"}')
    stored(tmp_path, trials=[other])
    assert built(tmp_path).count("<figcaption>Experimental environment ") == 2
