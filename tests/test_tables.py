"""Tables: what a reader sees of each kind of cell, and how numbers and names are written."""

import json
from math import inf, nan
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.scaling import strong, weak
from experiments.report import tables
from experiments.report.sections.scaling import NOTES, RATIOS, TIMES, scaling_table, study_tables
from experiments.report.tables import Table, by_place, plain_table, repetition_notes
from experiments.report.texts import label, percent, percent_interval, with_interval, written
from experiments.store.columns import FAILED, NOT_APPLICABLE, OK
from experiments.wording import pluralise
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import cell, copies
from tests.helpers.trial_rows import Row, frame, repeated, trial

BASE = repeated("sequential", 1, 10.0, 20.0)


def section_table(folder: Path, section: str, rows: list[Row]) -> Table:
    """Return the table of a section of these trials."""
    return shown(stored(folder, trials=rows), section).tables["table"]


def test_table_of_strong_scaling_shows_every_kind_of_cell() -> None:
    rows = [
        *(*BASE, *repeated("copies", 2, 5.0, 10.0), trial("claim", 2, 5.0)),  # claim is of another version
        *(*repeated("p1", 2, 6.25, 12.5), trial("p1", 2, None, status=FAILED, round=2), trial("p1", 16, 4.0)),
        *(trial("p2", 2, None, status=FAILED), trial("pq", 2, None, status=NOT_APPLICABLE)),
        trial("p1", 2, 5.0, saving=False),
    ]
    points = strong(frame(rows))
    table = scaling_table(points, "Strong scaling", TIMES, [*repetition_notes(points), "1 trial left out"])
    names = ["rounds", "time (s)", "images/s", "saving / not", "of the ceiling"]
    assert table.columns == ["saving", "strategy", "workers", *names]
    assert table.rows == [
        ["yes", "sequential", "1", "2", "14.1 (14.1–14.1)", "70.7 (70.7–70.7)", "-", "-"],
        ["yes", "P_1", "2", "2", "8.84 (8.84–8.84)", "113 (113–113)", "1.25", "80.0 % (80.0–80.0)"],
        ["yes", "P_1", "16", "1", "5.66", "177", "-", "-"],
        ["yes", "P_2", "2", "0", "failed", "-", "-", "-"],
        ["yes", "copies", "2", "2", "7.07 (7.07–7.07)", "141 (141–141)", "-", "-"],
        ["yes", "claim", "2", "1", "7.07", "141", "-", "100 %"],
        ["no", "P_1", "2", "1", "5.00", "200", "-", "-"],
    ]
    assert table.notes == [
        *("Each cell: 1,000 tasks.", "P_Q does not apply to 1 cell."),
        *(NOTES["saving_ratio"], NOTES["ceiling_share"]),
        *(tables.INTERVALS, tables.NOW, tables.NO_INTERVAL, tables.NO_BASELINE),
        *("P_1 with 2 workers: 1 failed trial left out of its mean.", "1 trial left out"),
    ]

    ratios = scaling_table(points, "Strong scaling", RATIOS)
    assert ratios.columns[4:] == ["speedup", "efficiency", "serial fraction"]
    assert [[row[1], row[2], *row[4:]] for row in ratios.rows[:4]] == [
        ["sequential", "1", "1.00 (1.00–1.00)", "100 % (100–100)", "-"],
        ["P_1", "2", "1.60 (1.60–1.60)", "80.0 % (80.0–80.0)", "0.250 (0.250–0.250)"],
        ["P_1", "16", "2.50", "15.6 %", "0.360"],
        ["P_2", "2", "-", "-", "-"],
    ]


def test_tables_in_the_layout_of_the_study_have_its_rows_below_ours() -> None:
    cells = [*repeated("sequential", 1, 8.0), *repeated("p1", 2, 5.0), *repeated("p2", 2, 4.0)]
    points = strong(frame(row | {"tasks": 100} for row in cells))  # ten times the seconds for 1,000
    [(stem, table)] = study_tables(points, "strong_scaling", "Strong scaling")
    assert stem == "study_saving"
    assert table.columns[:3] == ["workers", "source", "ideal (s)"]
    assert table.columns[3:6] == ["P_1\ntime (s)", "P_1\nspeedup", "P_1\nefficiency"]
    assert table.rows[:4] == [
        ["1", "here", "80.0", *"---------"],
        ["1", "study", "82.1", *"---------"],
        ["2", "here", "40.0", *("50.0", "1.60", "80.0 %"), *"---", *("40.0", "2.00", "100 %")],
        [
            *("2", "study", "41.0", "43.7", "1.88", "93.9 %"),
            *("88.0", "0.933", "46.7 %", "47.1", "1.74", "87.2 %"),
        ],
    ]
    assert [row[:2] for row in table.rows[4:]] == [[n, "study"] for n in ("4", "8", "16", "32", "64")]


def test_study_in_its_layout_has_no_column_for_a_strategy_that_did_not_save() -> None:
    points = strong(frame(trial("p1", 2, 4.0, saving=False) for _ in "a"))
    [(stem, table)] = study_tables(points, "strong_scaling", "Strong scaling")
    assert stem == "study_no_saving"
    assert not [head for head in table.columns if head.startswith("P_Q")]
    assert table.rows[1][:6] == ["2", "here", "-", "4.00", "-", "-"]


def test_serial_fraction_is_that_of_karp_and_flatt() -> None:
    points = strong(frame([trial("sequential", 1, 12.0), trial("p1", 2, 8.0), trial("p1", 4, 4.0)]))
    # S = 1.5 with 2 workers: (2/3 - 1/2) / (1/2); S = 3 with 4: (1/3 - 1/4) / (3/4)
    assert points["serial_fraction"].tolist() == pytest.approx([1 / 3, 1 / 9, nan], nan_ok=True)


def test_cells_without_a_common_round_have_no_interval() -> None:
    rows = [*BASE, *repeated("p1", 2, 5.0, 6.0, sweep="another")]
    table = scaling_table(strong(frame(rows)), "Strong scaling", TIMES)
    assert [line[3] for line in table.rows] == ["14.1", "5.48"]
    assert table.notes == ["Each cell: 2 rounds of 1,000 tasks."]
    assert tables.NO_INTERVAL in repetition_notes(strong(frame(rows)))


def test_tables_of_weak_scaling_show_sizes_and_sequential_references() -> None:
    sizes = [(100, 4.0), (200, 9.0)]
    trials = [trial("sequential", 1, wall_s, width=width, height=100) for width, wall_s in sizes]
    points = weak(frame([*trials, trial("p1", 2, 5.0, width=200, height=100)]))
    row: dict[str, str] = {}
    for table in (scaling_table(points, "Weak scaling", names) for names in (TIMES, RATIOS)):
        [texts] = [texts for texts in table.rows if texts[1] == "P_1"]
        row |= dict(zip(table.columns, texts, strict=True))
    assert row == {
        "saving": "yes",
        "strategy": "P_1",
        "workers": "2",
        "image size": "200x100",
        "time (s)": "5.00",
        "images/s": "200",
        "sequential (s)": "9.00",
        "efficiency": "80.0 %",
        "normalised": "90.0 %",
    }


def test_text_is_aligned_and_ends_with_the_notes() -> None:
    data = pd.DataFrame({"strategy": ["p1"], "time (s)": ["8.00"]})
    lines = plain_table("T", data, ["note"]).text().splitlines()
    assert lines[0] == "T"
    assert lines[2].index("time (s)") == lines[4].index("8.00")
    assert lines[-1] == "note"


def test_markdown_keeps_a_bar_in_its_cell_and_a_head_in_its_line() -> None:
    data = pd.DataFrame({"a\nhead": ["a|b"], "value": ["8"]})
    lines = plain_table("T", data, ["note"]).markdown().splitlines()
    assert [cell.strip() for cell in lines[2].split("|")] == ["", "a head", "value", ""]
    assert [cell.strip() for cell in lines[4].replace("\\|", "/").split("|")] == ["", "a/b", "8", ""]
    assert lines[-1] == "- note"


def test_csv_is_long_and_unrounded(tmp_path: Path) -> None:
    points = strong(frame([*BASE, trial("p1", 3, 7.123456789012345)]))
    _, csv = scaling_table(points, "T", TIMES).save(tmp_path / "table")
    shown = by_place(points).reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_csv(csv), shown, check_dtype=False, check_exact=True)


def test_table_of_saver_tuning_has_a_row_per_number_of_savers(tmp_path: Path) -> None:
    def tuned(asked: int, wall_s: float | None, savers: int | None, **changes: Any) -> Row:
        options = {"experiment": "saver_tuning", "strategy_options": json.dumps({"savers": asked})}
        return trial("pq", 4, wall_s, savers=savers, **options, **changes)

    rows = [trial("sequential", 1, 12.0, experiment="saver_tuning"), tuned(1, 6.0, 1), tuned(2, 4.0, 2)]
    rows += [tuned(4, None, None, status=NOT_APPLICABLE)]  # has no savers of its own
    table = section_table(tmp_path, "cells", rows)
    assert [line[table.columns.index("savers") :] for line in table.rows if line[1] == "P_Q"] == [
        ["1", '{"savers": 1}', "6.00", "167"],
        ["2", '{"savers": 2}', "4.00", "250"],
        ["-", '{"savers": 4}', "-", "-"],
    ]


def test_ceiling_of_a_user_experiment_is_the_rate_of_all_copies(tmp_path: Path) -> None:
    known: Any = {"experiment": "mine", "scales": [1.0]}
    results = stored(tmp_path, cell("sequential", 1, **known), copies(2, **known))
    assert {row[1]: row[-1] for row in shown(results, "cells").tables["table"].rows} == {
        "sequential": "10.0",
        "copies": "20.0",
    }


def test_copies_whose_rate_is_unknown_are_left_out_with_a_note(tmp_path: Path) -> None:
    rows = [trial(name, 2, 5.0, experiment="mine") for name in ("p1", "copies")]
    table = section_table(tmp_path, "cells", rows)
    assert [row[1:] for row in table.rows] == [
        ["copies", *"2-", "{}", *"--"],
        ["P_1", "2", "-", "{}", "5.00", "200"],
    ]
    assert table.notes[-1].startswith("Without times: 1 trial of `copies`.")


def test_resumed_job_of_a_user_spoils_no_ceiling(tmp_path: Path) -> None:
    known: Any = {"experiment": "mine", "scales": [1.0]}
    resumed = cell("sequential", 1, **known, resumed_outputs=6, repetitions=1)
    resumed.tasks[:] = resumed.tasks[6:]
    results = stored(tmp_path, cell("sequential", 1, **known), copies(2, **known), resumed)
    assert "20.0" in [row[-1] for row in shown(results, "cells").tables["table"].rows]


def test_weak_scaling_from_two_workers_on_shows_the_ratios_that_it_knows(tmp_path: Path) -> None:
    def at(strategy: str, workers: int, wall_s: float, width: int) -> list[Row]:
        return repeated(strategy, workers, wall_s, wall_s, experiment="weak_scaling", width=width)

    rows = [*at("sequential", 1, 1.0, 2000), *at("p2", 2, 1.0, 2000)]
    rows += [*at("sequential", 1, 8.0, 4000), *at("p2", 4, 2.0, 4000)]
    rows += [trial("pq", 2, None, status=NOT_APPLICABLE)]
    rows[-1] |= {"experiment": "weak_scaling"}
    tables = shown(stored(tmp_path, trials=rows), "scaling").tables
    assert tables["ratios"].columns[-2:] == ["sequential (s)", "normalised"]
    assert [row[-1].split(" (")[0] for row in tables["ratios"].rows] == ["100 %", "50.0 %", "100 %"]
    assert any(note.startswith("Short trials in 2 of 3 rows,") for note in tables["table"].notes)


def test_failed_trial_of_a_cell_with_savers_is_no_row_of_its_own(tmp_path: Path) -> None:
    known = {"experiment": "mine", "cell": "c"}
    rows = [trial("pq", 2, None, status=FAILED, **known), trial("pq", 2, 5.0, savers=1, **known)]
    table = section_table(tmp_path, "cells", rows)
    assert [row[2:] for row in table.rows] == [["2", "1", "{}", "5.00", "200"]]
    assert "P_Q with 2 workers: 1 failed trial left out of its mean." in table.notes


def test_table_of_a_user_experiment_shows_the_options_that_differ(tmp_path: Path) -> None:
    rows = [trial("p1", 2, 5.0 + seed, experiment="mine", seed=seed) for seed in (1, 2)]
    table = section_table(tmp_path, "cells", rows)
    assert table.columns[-3:] == ["seed", "time (s)", "images/s"]
    assert [line[-3:-1] for line in table.rows] == [["1", "6.00"], ["2", "7.00"]]


@pytest.mark.parametrize(
    ("value", "text"), [(True, "yes"), (float("nan"), "-"), (1.234, "1.23"), (None, "-")]
)
def test_values_become_texts(value: object, text: str) -> None:
    data = pd.DataFrame({"value": pd.Series([value], dtype=object)})
    assert plain_table("T", data).rows == [[text]]


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (0.12, 0, "12 %"),
        (-0.001, 0, "0 %"),
        (0.375, 0, "38 %"),
        (0.375 - 1e-12, 0, "38 %"),
        (0.1234, 1, "12.3 %"),
        (nan, 0, "-"),
    ],
)
def test_shares_are_per_cent_without_a_negative_zero(share: float, digits: int, shown: str) -> None:
    assert percent(share, digits) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (13.0, "13.0"),
        (0.9649, "0.965"),
        (0.00123456, "0.00123"),
        (9.999, "10.0"),  # rounded, it has a digit more before the point
        (374.4, "374"),
        (9760, "9,760"),
        (18_349, "18,300"),
        (1_234_567, "1,230,000"),
        (-0.5, "-0.500"),
        (0.0, "0.00"),
        (inf, "∞"),
        (nan, "-"),
    ],
)
def test_numbers_have_three_significant_digits_and_no_exponent(number: float, shown: str) -> None:
    assert written(number) == shown


def test_intervals_are_written_in_the_unit_of_the_value() -> None:
    assert with_interval(18_300.4, 17_204, 19_497) == "18,300 (17,200–19,500)"
    assert with_interval(13, 12.1, 14) == "13.0 (12.1–14.0)"
    assert with_interval(12.3, -10.1, 14.52, "+") == "+12.3 (-10.1 to +14.5)"
    assert with_interval(-0.02, -0.05, 0.01) == "-0.0200 (-0.0500 to 0.0100)"
    assert with_interval(2e-16, -1e-16, 3e-16) == "0.00 (0.00–0.00)"
    assert with_interval(12.3, nan, nan) == "12.3"
    assert with_interval(nan, nan, nan) == "-"
    assert percent_interval(0.08, 0.0785, 0.0815) == "8.00 % (7.85–8.15)"
    assert percent_interval(1, 0.93, 1.072) == "100 % (93.0–107)"
    assert percent_interval(0.01, -0.03, 0.04, "+") == "+1.00 % (-3.00 to +4.00)"
    assert percent_interval(nan, nan, nan) == "-"


def test_strategies_and_counts_have_names() -> None:
    assert (label("pq"), label("of another version")) == ("P_Q", "of another version")
    assert (pluralise(1, "trial"), pluralise(2000, "trial")) == ("1 trial", "2,000 trials")


def test_table_says_how_many_of_its_trials_are_short() -> None:
    times = {"wall_s_low": 1.0, "ideal_s": 1.0, "failures": 0, "status": OK}
    rows = [(20, 2, 2.0), (19, 2, 9.0), (1000, 2, 1.9)]
    points = pd.DataFrame([{"tasks": n, "workers": p, "wall_s": s} | times for n, p, s in rows])
    [note] = [note for note in repetition_notes(points) if "tasks a worker" in note]
    assert note.startswith("Short trials in 2 of 3 rows, of less than 10 tasks a worker or 2 s: starts")
