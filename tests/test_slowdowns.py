"""Slowdowns beside neighbours, from turns whose seconds are chosen by hand."""

from pathlib import Path

import pandas as pd
import pytest

from experiments.analysis.causes import CORES, MEMORY
from experiments.analysis.interference import COLUMNS, PAGES, contended_resources, slowdowns
from experiments.analysis.select import NoTrialsError
from tests.helpers.stored_results import report, shown, stored
from tests.helpers.task_rows import Cells, frames, interference
from tests.helpers.trial_rows import repeated

SLOWER = {"copies": 1.5, "spinners": 1.0, "streamers": 1.4, "mappers": 1.1}


def test_slowdown_is_against_idle_neighbours_of_the_same_round() -> None:
    table = slowdowns(*frames(interference(SLOWER)))
    assert list(table) == COLUMNS
    assert list(table["neighbour"]) == list(SLOWER)
    assert table["slowdown"].to_numpy() == pytest.approx(list(SLOWER.values()), rel=0.01)
    assert (table["high"] - table["low"] < 0.02).all(), "the rounds differ by 30 %"


@pytest.mark.parametrize(
    ("slower", "resource"),
    [
        ({"copies": 1.5, "spinners": 1.4, "streamers": 1.6}, CORES),
        ({"copies": 1.5, "spinners": 1.0, "streamers": 1.4}, MEMORY),
        ({"copies": 1.5, "spinners": 1.2, "streamers": 1.3}, MEMORY),  # half of what copies do is 1.25
        ({"copies": 1.5, "spinners": 1.0, "streamers": 1.1, "mappers": 1.3}, PAGES),
        ({"copies": 1.5, "spinners": 1.1, "streamers": 1.1}, None),
        ({"copies": 1.03, "spinners": 1.4, "streamers": 1.4}, None),
        ({"spinners": 1.4}, None),
    ],
    ids=["cores", "memory", "half", "page path", "unexplained", "none", "no copies"],
)
def test_contention_is_for_the_resource_of_the_slowest_neighbour(
    slower: dict[str, float], resource: str | None
) -> None:
    table = slowdowns(*frames(interference(slower)))
    taken = {resource: pytest.approx(1 / 3, abs=0.01)} if resource else {}
    assert contended_resources(table, workers=2, saving=False) == taken
    assert not contended_resources(table, workers=4, saving=False), "was not measured"


def test_copies_within_the_noise_are_no_contention() -> None:
    noisy = slowdowns(*frames(interference({"copies": 1.3, "streamers": 1.3}, rounds=1)))
    assert noisy["low"].isna().all()
    assert not contended_resources(noisy, workers=2, saving=False)


def test_table_has_a_row_per_worker_count(tmp_path: Path) -> None:
    cells = [interference(SLOWER, workers, experiment="interference") for workers in (2, 4)]
    results = stored(tmp_path, *cells)
    table = shown(results, "interference").tables["table"]
    assert table.columns == ["saving", "workers", *SLOWER, "contends for"]
    assert [row[:2] for row in table.rows] == [["no", "2"], ["no", "4"]]
    assert table.rows[0][2].startswith("1.50 (1.")
    assert table.rows[0][-1] == "memory"
    assert report(results) == 0
    written = pd.read_csv(tmp_path / "tables" / "interference" / "table.csv")
    assert list(written) == COLUMNS
    assert len(written) == 2 * len(SLOWER)


def test_trial_without_turns_shows_nothing(tmp_path: Path) -> None:
    silent = Cells(repeated("interference", 2, 8.0, experiment="interference"))
    with pytest.raises(NoTrialsError, match="no turns were recorded"):
        shown(stored(tmp_path, silent), "interference")
