"""Tables: what a reader sees of each kind of cell."""

import io
import json
import pstats
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.scaling import public, strong, weak
from experiments.report.output import FORMATS
from experiments.report.sections.cells import profile_table
from experiments.report.sections.scaling import CEILING, scaling_tables
from experiments.report.sections.validation import NO_REFERENCE
from experiments.report.tables import INTERVALS, NO_BASELINE, NO_SHARED_ROUND, ONE_ROUND, Table, plain_table
from experiments.store.columns import FAILED, NOT_APPLICABLE
from tests.helpers.stored_results import shown, stored
from tests.helpers.trial_rows import BEGIN, Row, frame, repeated, trial

BASE = repeated("sequential", 1, 10.0, 20.0)


def only_table(*trials: Row, notes: Sequence[str] = ()) -> Table:
    """The saving block of the strong-scaling table of these trials and the base."""
    return scaling_tables(strong(frame([*BASE, *trials])), "Strong scaling", notes)[0]


def row(table: Table, strategy: str, workers: int) -> dict[str, str]:
    """The row of a point, by column."""
    lines = [dict(zip(table.columns, texts, strict=True)) for texts in table.rows]
    (found,) = [line for line in lines if (line["strategy"], line["workers"]) == (strategy, str(workers))]
    return found


def section_table(folder: Path, section: str, rows: list[Row]) -> Table:
    """The table of a section of these trials."""
    tables, _ = shown(stored(folder, trials=rows), section)
    return tables["table"][0]


def test_a_row_shows_time_speedup_and_efficiency_with_their_intervals() -> None:
    table = only_table(*repeated("p1", 2, 6.25, 12.5))

    assert row(table, "P_1", 2) == {
        "saving": "yes",
        "strategy": "P_1",
        "workers": "2",
        "ideal (s)": "7.07",
        "time (s)": "8.84 (8.84–8.84)",
        "images/s": "113 (113–113)",
        "speedup": "1.60 (1.60–1.60)",
        "efficiency": "80 % (80–80)",
    }
    assert table.notes == [INTERVALS]


def test_the_share_of_the_ceiling_is_a_column_where_copies_were_measured() -> None:
    table = only_table(trial("copies", 2, 6.0), trial("p1", 2, 7.5))

    assert row(table, "P_1", 2)["of the ceiling"] == "80 % (no interval)"
    assert row(table, "copies", 2)["of the ceiling"] == "-"
    assert table.notes[-1] == CEILING


def test_failed_and_inapplicable_cells_show_no_time() -> None:
    table = only_table(
        trial("p1", 2, 5.0),
        trial("pq", 2, None, status=NOT_APPLICABLE),
        trial("p2", 2, None, status=FAILED),
    )

    texts = [row(table, name, 2)["time (s)"] for name in ("P_1", "P_Q", "P_2")]
    assert texts == ["7.07 (no interval)", "-", "failed"]
    assert row(table, "P_2", 2)["speedup"] == "-"
    assert ONE_ROUND in table.notes


def test_a_note_says_how_cells_without_a_common_round_get_an_interval() -> None:
    table = only_table(*repeated("p1", 2, 5.0, 6.0, sweep="another"))

    assert row(table, "P_1", 2)["time (s)"] == "5.48 (no interval)"
    assert table.notes == [NO_SHARED_ROUND]


def test_a_missing_baseline_is_a_dash_with_a_footnote() -> None:
    (table,) = scaling_tables(strong(frame([trial("p1", 2, 5.0)])), "Strong scaling")

    assert table.rows == [["yes", "P_1", "2", "-", "5.00 (no interval)", "200 (no interval)", "-", "-"]]
    assert NO_BASELINE in table.notes


def test_a_note_counts_the_failed_trials_beside_good_ones() -> None:
    table = only_table(*repeated("p1", 2, 6.2, 6.3), trial("p1", 2, None, status=FAILED))

    assert "P_1 at 2 workers: 1 failed trial left out of its mean." in table.notes


def test_rows_are_in_the_order_of_the_strategies_and_those_of_another_version_come_last() -> None:
    table = only_table(*(trial(name, 2, 5.0) for name in ("claim", "p2", "p1")), trial("p1", 16, 4.0))

    points = [(line[1], line[2]) for line in table.rows]
    assert points == [("sequential", "1"), ("P_1", "2"), ("P_1", "16"), ("P_2", "2"), ("claim", "2")]


def test_saving_and_no_saving_are_two_tables() -> None:
    both = strong(frame([*BASE, trial("p1", 2, 5.0, saving=False)]))

    assert [table.title for table in scaling_tables(both, "T")] == ["T, saving", "T, no saving"]


def test_weak_scaling_shows_sizes_and_the_sequential_references() -> None:
    sizes = [(100, 4.0), (200, 9.0)]
    trials = [trial("sequential", 1, wall_s, width=width, height=100) for width, wall_s in sizes]
    points = weak(frame([*trials, trial("p1", 2, 5.0, width=200, height=100)]))

    assert row(scaling_tables(points, "Weak scaling")[0], "P_1", 2) == {
        "saving": "yes",
        "strategy": "P_1",
        "workers": "2",
        "image size": "200x100",
        "sequential (s)": "9.00",
        "ideal (s)": "4.00",
        "time (s)": "5.00 (no interval)",
        "images/s": "200 (no interval)",
        "efficiency": "80 % (no interval)",
        "normalised": "90 % (no interval)",
    }


def test_text_is_aligned_and_ends_with_the_notes() -> None:
    lines = only_table(trial("p1", 2, 8.0), notes=["1 trial left out"]).text().splitlines()

    assert lines[0] == "Strong scaling, saving"
    assert lines[2].index("time (s)") == lines[5].index("11.31 (no interval)")
    assert lines[-1] == "1 trial left out"


def test_markdown_keeps_a_bar_in_its_cell_and_a_head_in_its_line() -> None:
    data = pd.DataFrame({"a\nhead": ["a|b"], "value": ["8"]})
    lines = plain_table("T", data, ["note"]).markdown().splitlines()

    assert [cell.strip() for cell in lines[2].split("|")] == ["", "a head", "value", ""]
    assert [cell.strip() for cell in lines[4].replace("\\|", "/").split("|")] == ["", "a/b", "8", ""]
    assert lines[-1] == "- note"


def test_csv_is_long_and_unrounded() -> None:
    points = strong(frame([*BASE, trial("p1", 3, 7.123456789012345)]))
    read = pd.read_csv(io.StringIO(FORMATS["csv"](scaling_tables(points, "T"))))

    pd.testing.assert_frame_equal(read, public(points), check_dtype=False, check_exact=True)


def test_validation_says_who_wrote_the_files_of_sequential(tmp_path: Path) -> None:
    digests = {"sequential": "a" * 64, "p1": "a" * 64, "p2": "b" * 64}
    written = [
        trial(name, 2, 1.0, experiment="validation", outputs=6, outputs_digest=digest)
        for name, digest in digests.items()
    ]
    refused = trial("pq", 1, None, experiment="validation", status=NOT_APPLICABLE)
    table = section_table(tmp_path, "validation", [*written, refused])

    assert {line[0]: line[-1] for line in table.rows} == {
        "sequential": "yes",
        "P_1": "yes",
        "P_2": "no",
        "P_Q": "-",
    }
    assert {line[4] for line in table.rows} == {"a" * 12, "b" * 12, "-"}
    assert table.notes == ["No contact sheet: no cell has kept its outputs; output_dir=FOLDER keeps them"]


def test_validation_without_sequential_compares_nothing(tmp_path: Path) -> None:
    written = trial("p1", 2, 1.0, experiment="validation", outputs=6, outputs_digest="a" * 64)
    table = section_table(tmp_path, "validation", [written])

    assert table.rows[0][-1] == "-"
    assert table.notes[0] == NO_REFERENCE


def tuned(workers: int, asked: int, wall_s: float | None, **changes: Any) -> Row:
    """A trial of P_Q with so many savers asked for."""
    options = json.dumps({"savers": asked})
    changes = {"experiment": "saver_tuning", "strategy_options": options, "savers": asked} | changes
    return trial("pq", workers, wall_s, **changes)


def test_savers_are_tuned_by_workers(tmp_path: Path) -> None:
    rows = [
        trial("sequential", 1, 12.0, experiment="saver_tuning"),
        tuned(4, 1, 6.0),
        tuned(4, 2, 4.0),
        # a cell that does not apply has no savers of its own
        tuned(4, 4, None, savers=None, status=NOT_APPLICABLE),
    ]

    table = section_table(tmp_path, "savers", rows)
    assert [line[table.columns.index("savers") :] for line in table.rows if line[1] == "P_Q"] == [
        ["1", '{"savers": 1}', "6.00 (no interval)", "167 (no interval)"],
        ["2", '{"savers": 2}', "4.00 (no interval)", "250 (no interval)"],
        ["-", '{"savers": 4}', "-", "-"],
    ]


def test_an_experiment_of_its_own_has_a_row_for_each_cell_with_what_they_differ_in(tmp_path: Path) -> None:
    rows = [trial("p1", 2, 5.0 + seed, experiment="mine", seed=seed) for seed in (1, 2)]
    table = section_table(tmp_path, "cells", rows)

    assert table.columns[-3:] == ["seed", "time (s)", "images/s"]
    assert [line[-3:-1] for line in table.rows] == [["1", "6.00 (no interval)"], ["2", "7.00 (no interval)"]]


def test_a_profile_keeps_functions_of_one_name_apart(tmp_path: Path) -> None:
    path = tmp_path / "master.pstats"
    stats = pstats.Stats()
    stats.stats = {  # type: ignore[attr-defined]
        ("a/one.py", 3, "run"): (1, 1, 0.25, 0.5, {}),
        ("b/two.py", 4, "run"): (2, 2, 0.75, 0.75, {}),
    }
    stats.total_tt = 1.0  # type: ignore[attr-defined]
    stats.dump_stats(path)
    table = profile_table(path)

    assert table.rows == [["2", "0.75", "0.75", "run", "two.py:4"], ["1", "0.25", "0.50", "run", "one.py:3"]]


@pytest.mark.parametrize(
    ("value", "text"), [(True, "yes"), (float("nan"), "-"), (1.234, "1.23"), (None, "-")]
)
def test_values_become_texts(value: object, text: str) -> None:
    data = pd.DataFrame({"value": pd.Series([value], dtype=object)})

    assert plain_table("T", data).rows == [[text]]


def test_the_newest_environment_is_shown(tmp_path: Path) -> None:
    later = BEGIN.replace(hour=1)
    rows = [
        trial("p1", 2, 1.0, experiment="mine", started_at=later, environment='{"CPU": "new"}'),
        trial("p1", 2, 1.0, experiment="mine", environment='{"CPU": "old"}'),
    ]
    tables, _ = shown(stored(tmp_path, trials=rows), "environment")

    assert tables["environment"][0].rows == [["CPU", "new"]]
