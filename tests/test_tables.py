"""Tables in the study's layout: what a reader sees of each kind of cell; and the report of them."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from experiments.analysis.scaling import SAVERS, strong, weak
from experiments.records.schema import FAILED, NOT_APPLICABLE, Trial
from experiments.report import __main__ as report
from experiments.report import reports
from experiments.report.render import FORMATS, text
from experiments.report.tables import (
    Table,
    cells_table,
    environment_table,
    savers_table,
    scaling_tables,
    strategies,
    validation_table,
)
from tests.frames import frame, repeated, trial

BASE = repeated("sequential", 1, 9.98, 10.02)


def only_table(*trials: Trial, note: str | None = None) -> Table:
    """The saving block of the strong-scaling table of these trials and the base."""
    return scaling_tables(strong(frame([*BASE, *trials])), "Strong scaling", note)[0]


def row(table: Table, ranks: int) -> dict[str, str]:
    """The row of so many ranks, by column."""
    (found,) = [line for line in table.rows if line[0] == str(ranks)]
    return dict(zip([f"{group} {name}".strip() for group, name in table.columns], found, strict=True))


def test_a_row_shows_ideal_time_speedup_and_efficiency() -> None:
    table = only_table(*repeated("p1", 2, 6.2, 6.3))

    assert row(table, 2) == {
        "ranks": "2",
        "ideal (s)": "5.00",
        "sequential time (s)": "-",
        "P_1 time (s)": "6.25 ±0.05",
        "P_1 speedup": "1.60",
        "P_1 efficiency": "80%",
    }
    assert "± is half the range of the repetitions; figures are of their mean." in table.notes


def test_the_first_row_is_sequential_with_dashes() -> None:
    first = row(only_table(*repeated("p1", 2, 6.2, 6.3)), 1)

    assert list(first.values()) == ["1", "10.00", "10.00 ±0.02", "-", "-", "-"]


def test_each_kind_of_cell_looks_different() -> None:
    table = only_table(
        trial("p1", 2, 5.0),
        trial("p1", 4, 3.0),
        trial("pq", 2, None, status=NOT_APPLICABLE),
        trial("p2", 2, None, status=FAILED),
    )

    cells = row(table, 2)
    assert cells["P_1 time (s)"] == "5.00*"
    assert cells["P_Q time (s)"] == "-"
    assert cells["P_2 time (s)"] == "failed"
    assert row(table, 4)["P_2 time (s)"] == "not run"
    assert "* one repetition only: its spread is unknown." in table.notes


def test_a_missing_baseline_is_a_dash_with_a_footnote() -> None:
    (table,) = scaling_tables(strong(frame([trial("p1", 2, 5.0)])), "Strong scaling")

    assert list(row(table, 2).values()) == ["2", "-", "5.00*", "-", "-"]
    assert any("No sequential baseline" in note for note in table.notes)


def test_trials_that_failed_beside_good_ones_are_told() -> None:
    table = only_table(*repeated("p1", 2, 6.2, 6.3), trial("p1", 2, None, status=FAILED, repetition=2))

    assert "P_1 at 2 workers: 1 failed trial is not in its mean." in table.notes


def test_a_new_strategy_gets_its_columns_after_the_study_s() -> None:
    points = strong(frame([*BASE, trial("claim", 2, 4.0), trial("p2", 2, 5.0), trial("p1", 2, 5.0)]))

    assert strategies(points) == ["sequential", "p1", "p2", "claim"]
    assert row(scaling_tables(points, "Strong scaling")[0], 2)["claim speedup"] == "2.50"


def test_saving_and_no_saving_are_two_tables() -> None:
    both = strong(frame([*BASE, trial("p1", 2, 5.0, saving=False)]))

    assert [table.title for table in scaling_tables(both, "T")] == ["T, saving", "T, no saving"]


def test_weak_scaling_shows_sizes_and_the_sequential_references() -> None:
    sizes = [(1, 100, 100, 4.0), (2, 200, 100, 9.0)]
    trials = [trial("sequential", 1, wall, width=w, height=h) for _, w, h, wall in sizes]
    points = weak(frame([*trials, trial("p1", 2, 5.0, width=200, height=100)]))

    assert row(scaling_tables(points, "Weak scaling")[0], 2) == {
        "ranks": "2",
        "image size": "200x100",
        "ideal (s)": "4.00",
        "sequential time (s)": "9.00",
        "P_1 time (s)": "5.00*",
        "P_1 efficiency": "80%",
        "P_1 normalised": "90%",
    }


def test_text_is_aligned_and_ends_with_the_notes() -> None:
    lines = text(only_table(trial("p1", 2, 5.0), note="1 trial left out")).splitlines()

    assert lines[0] == "Strong scaling, saving"
    assert lines[2].split() == ["sequential", "P_1"]
    assert lines[2].index("P_1") == lines[3].index("time", lines[3].index("time") + 1)
    assert lines[-1] == "1 trial left out"


def test_markdown_has_as_many_cells_in_each_line() -> None:
    table = FORMATS["md"]([environment_table('{"CPU": "a|b", "cores": "8"}')])

    assert "| CPU | a\\|b |" in table
    assert "| cores | 8 |" in table


def test_csv_is_long_and_unrounded() -> None:
    points = strong(frame([*BASE, trial("p1", 3, 7.123456789012345)]))
    read = pd.read_csv(io.StringIO(FORMATS["csv"](scaling_tables(points, "T"))))

    pd.testing.assert_frame_equal(read, points, check_dtype=False, check_exact=True)


def test_validation_says_who_wrote_the_files_of_sequential() -> None:
    digests = {"sequential": "a" * 64, "p1": "a" * 64, "p2": "b" * 64}
    rows = [trial(name, 2, 1.0, outputs=6, outputs_digest=digest) for name, digest in digests.items()]
    table = validation_table(frame([*rows, trial("pq", 1, None, status=NOT_APPLICABLE)]))

    assert {line[0]: line[-1] for line in table.rows} == {
        "sequential": "yes",
        "p1": "yes",
        "p2": "no",
        "pq": "-",
    }
    assert table.rows[0][4] == "a" * 12


def test_validation_without_sequential_compares_nothing() -> None:
    table = validation_table(frame([trial("p1", 2, 1.0, outputs=6, outputs_digest="a" * 64)]))

    assert table.rows[0][-1] == "-"
    assert table.notes == ["Sequential wrote nothing to compare with."]


def test_savers_are_tuned_by_workers() -> None:
    rows = [trial("sequential", 1, 12.0), trial("pq", 4, 6.0, savers=1), trial("pq", 4, 4.0, savers=2)]
    table = savers_table(strong(frame(rows), SAVERS))

    assert [line[1:] for line in table.rows] == [["4", "1", "6.00*", "2.00"], ["4", "2", "4.00*", "3.00"]]


def test_cells_are_told_apart_by_what_differs_in_them() -> None:
    table = cells_table(frame([trial("p1", 2, 5.0, seed=1), trial("p1", 2, 6.0, seed=2)]), "adhoc")

    assert [name for _, name in table.columns][-2:] == ["seed", "time (s)"]
    assert [line[-2:] for line in table.rows] == [["1", "5.00*"], ["2", "6.00*"]]


def store(results: Path, experiment: str, *trials: Trial) -> None:
    folder = results / "trials" / experiment
    folder.mkdir(parents=True)
    frame(trials).to_parquet(folder / "cell.parquet")


def test_the_report_writes_every_table_and_figure_from_parquet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path, "strong_scaling", *BASE, *repeated("p1", 2, 6.2, 6.3))
    store(tmp_path, "adhoc", trial("p1", 2, 5.0, experiment="adhoc"))
    report.main(["--results", str(tmp_path)])

    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {
        "tables/strong_scaling/table.txt",
        "tables/strong_scaling/environment.md",
        "figures/strong_scaling/speedup.svg",
        "tables/adhoc/table.csv",
        "tables/published/weak_scaling.csv",
    } <= written
    printed = capsys.readouterr().out
    assert "P_1" in printed
    assert str(tmp_path / "figures" / "strong_scaling" / "time.png") in printed
    assert (tmp_path / "tables/published/strong_scaling.txt").read_text(encoding="utf-8").count("slip:") == 12


def test_a_cell_that_does_not_apply_is_shown_at_the_savers_it_was_asked_for(tmp_path: Path) -> None:
    options = json.dumps({"savers": 4})
    refused = trial("pq", 4, None, status=NOT_APPLICABLE, strategy_options=options)
    rows = frame([*BASE, trial("pq", 4, 5.0, savers=1, strategy_options='{"savers": "auto"}'), refused])
    table = reports.savers_report(rows, tmp_path).tables["table"][0]

    assert [line[2:] for line in table.rows] == [["1", "5.00*", "2.00"], ["4", "-", "-"]]


def test_cells_that_all_failed_make_a_table_and_no_chart(tmp_path: Path) -> None:
    rows = frame([trial("sequential", 1, None, status=FAILED), trial("p1", 2, None, status=FAILED)])
    made = reports.strong_report(rows, tmp_path)

    assert row(made.tables["table"][0], 2)["P_1 time (s)"] == "failed"
    assert made.figures == {}


def test_validation_without_pictures_says_so(tmp_path: Path) -> None:
    rows = frame([trial("sequential", 1, 1.0, outputs=6, outputs_digest="a" * 64)])
    made = reports.validation_report(rows, tmp_path)

    assert made.figures == {}
    assert made.tables["table"][0].notes[-1].startswith("No contact sheet: ")


@pytest.mark.parametrize("arguments", [[], ["--experiment", "weak_scaling"]])
def test_without_results_there_is_one_line_with_folder_and_command(
    arguments: list[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as end:
        report.main(["--results", str(tmp_path), *arguments])

    message = str(end.value)
    assert str(tmp_path / "trials") in message
    assert "`make " in message or "`python run.py " in message
    assert "\n" not in message
