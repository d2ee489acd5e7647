"""A/A tests: what the intervals say of identical code, three rounds at a time."""

from pathlib import Path
from typing import Any

import pytest

from experiments.analysis.ablation import aa_comparisons
from experiments.analysis.select import NoTrialsError
from tests.helpers.stored_results import shown, stored
from tests.helpers.trial_rows import Row, frame, repeated

ONE, OTHER = (1.0, 1.02, 0.99), (1.01, 0.99, 1.0)  # three rounds of the same


def twice(*changes: float, **more: Any) -> list[Row]:
    """Return a cell and its equal named `aa`, three rounds for each of `changes`, with drift."""
    drift = [1 + 0.1 * number for number in range(3 * len(changes))]
    walls_s = [ONE[number % 3] * times for number, times in enumerate(drift)]
    again_s = [OTHER[number % 3] * times * changes[number // 3] for number, times in enumerate(drift)]
    aa = repeated("p2", 2, *again_s, ablation="aa", **more)
    return [*repeated("p2", 2, *walls_s, **more), *aa]


def test_identical_code_claims_nothing_and_a_planted_difference_is_claimed() -> None:
    same, slower = aa_comparisons(frame(twice(1.0, 1.3))).to_dict("records")
    assert (same["claim"], slower["claim"]) == (False, True)
    assert same["low"] < same["gain"] < same["high"]
    assert slower["gain"] == pytest.approx(-0.3, abs=0.02)


def test_aa_comparison_takes_three_consecutive_rounds() -> None:
    incomplete = [row for row in twice(1.3, 1.0, 1.3) if row["round"] < 8]
    rows = aa_comparisons(frame([*incomplete, *twice(1.0, saving=False)]))
    assert list(rows["saving"]) == [False, True, True]
    assert list(rows["claim"]) == [False, True, False]


@pytest.mark.parametrize("rows", [twice(1.0)[:3], twice(1.0)[1:3] + twice(1.0)[4:6]], ids=["alone", "two"])
def test_too_few_rounds_are_an_error_of_one_line(rows: list[Row]) -> None:
    with pytest.raises(NoTrialsError, match="fewer than 3 rounds"):
        aa_comparisons(frame(rows))


def test_the_report_counts_the_claims_and_names_them(tmp_path: Path) -> None:
    results = stored(tmp_path, trials=twice(1.0, 1.3, 1.0, 1.0, experiment="aa"))
    table = shown(results, "aa")[0]["table"]
    assert table.rows == [["4", "1", "25 % (1–81)"]]  # Clopper-Pearson: 0.0063 to 0.8059
    assert [note for note in table.notes if note.startswith("Claimed for P_2: -30 %")]
    assert len(table.data) == 4
