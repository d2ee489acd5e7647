"""The command that reports: what it writes, removes, prints, and how it ends."""

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from experiments.report import sections
from experiments.report.__main__ import main
from experiments.report.charts import Chart
from experiments.report.page import page
from experiments.report.results import Results
from experiments.report.sections import Outputs, section, sections_of
from experiments.report.tables import plain_table
from experiments.store.columns import FAILED
from tests.helpers.stored_results import report, stored
from tests.helpers.task_rows import Cells, cell
from tests.helpers.trial_rows import repeated, trial

pytestmark = pytest.mark.once
SCALING = [*repeated("sequential", 1, 9.98, 10.02), *repeated("p1", 2, 6.2, 6.3)]


def files(results: Results, parent: str) -> set[str]:
    return {path.name for path in (results.folder / parent / results.experiment).iterdir()}


def test_all_experiments_and_the_study_are_written_from_parquet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(tmp_path, trials=SCALING)
    stored(tmp_path, trials=[trial("p1", 2, 5.0, experiment="adhoc")])
    with pytest.raises(SystemExit) as end:
        main(["--results", str(tmp_path)])
    assert not end.value.code
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert {
        "tables/strong_scaling/table.md",
        "tables/environment.md",
        "figures/strong_scaling/speedup.svg",
        "tables/adhoc/table.csv",
        "tables/strong_scaling/study_saving.csv",
        "tables/strong_scaling/published_laws.md",
    } <= written
    output = capsys.readouterr()
    assert str(tmp_path / "figures" / "strong_scaling" / "rate.png") in output.out
    assert "6.25 (" in output.out
    assert "strong_scaling: no breakdown: no sequential reference with recorded tasks" in output.err


def test_diagnosis_is_printed_after_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = stored(tmp_path, cell("sequential", 1), cell("p2", 2, gap_s=0.1))
    assert report(results) == 0
    output = capsys.readouterr().out
    assert output.index("Strong scaling\n") < output.index("Strong scaling: what stops it")
    assert "not decided" in output
    assert "breakdown.png" in files(results, "figures")


def test_report_removes_what_an_earlier_one_left_and_nothing_else(tmp_path: Path) -> None:
    results = stored(tmp_path, trials=[trial("p1", 2, 5.0, experiment="mine")])
    for parent, name in (("figures", "transforms.svg"), ("tables", "pop.md"), ("tables", "mine.ods")):
        folder = tmp_path / parent / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    report(results)
    assert files(results, "figures") == set()
    assert {"mine.ods", "table.md"} <= files(results, "tables")
    assert "pop.md" not in files(results, "tables")


def test_damaged_tasks_stop_only_the_sections_that_need_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequential, p2 = cell("sequential", 1), cell("p2", 2)
    results = stored(tmp_path, sequential, Cells(p2.trials, p2.tasks[1:]))
    assert report(results) == 1, "the tasks are damaged"
    assert "table.md" in files(results, "tables")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "no verdict" in line]
    assert "11 tasks" in line


def test_cells_that_all_failed_make_a_table_and_no_chart(tmp_path: Path) -> None:
    failed = [trial("sequential", 1, None, status=FAILED), trial("p1", 2, None, status=FAILED)]
    results = stored(tmp_path, trials=failed)
    assert report(results) == 0
    assert "failed" in (tmp_path / "tables/strong_scaling/table.md").read_text(encoding="utf-8")
    assert not (tmp_path / "figures").exists()


def test_damaged_experiments_leave_the_others_and_the_page_whole(tmp_path: Path) -> None:
    results = stored(tmp_path, trials=SCALING)
    damaged = tmp_path / "trials" / "advise" / "a.parquet"
    damaged.parent.mkdir()
    damaged.write_bytes(b"PAR1")
    with pytest.raises(SystemExit, match="advise: no trials"):
        main(["--results", str(tmp_path)])
    assert "table.md" in files(results, "tables")
    assert "Strong scaling" in page(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["--experiment", "weak_scaling"]])
def test_lack_of_results_is_one_line_with_folder_and_command(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--results", str(tmp_path), *arguments])
    message = str(end.value)
    assert str(tmp_path / "trials") in message
    assert "`make " in message or "`python run.py " in message
    assert "\n" not in message


def test_new_section_is_a_function_that_registers_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "_SECTIONS", list(sections.sections()))

    @section("mine", chapter="Slowest first", order=5)
    def slowest(results: Results) -> Outputs:
        """Show the slowest trial."""
        data = results.trials.nlargest(1, "wall_s")[["strategy", "wall_s"]]
        yield "table", plain_table("Slowest", data)
        yield "empty", Chart(Figure(), data, "Nothing", "of one trial")

    results = stored(tmp_path, trials=[trial("p1", 2, wall_s, experiment="mine") for wall_s in (1.0, 3.0)])
    assert [each.name for each in sections_of("mine")] == ["slowest"]
    assert report(results) == 0
    assert "3.00" in (tmp_path / "tables/mine/table.md").read_text(encoding="utf-8")
    assert files(results, "figures") == {"empty.png", "empty.svg"}
    assert re.findall("<h2>([^<]+)</h2>", page(tmp_path))[0] == "Slowest first"
