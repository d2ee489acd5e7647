"""Tables, charts, traces and words of a diagnosis, and the command that writes them."""

import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from experiments.analysis.account import PARTS, accounts
from experiments.analysis.scaling import NoTrialsError
from experiments.records import store
from experiments.report.diagnose import main
from experiments.report.diagnosis import Diagnosis, diagnose, diagnosed
from experiments.report.diagnosis_figures import account_figure
from experiments.report.render import FORMATS, text
from experiments.report.reports import strong_report
from experiments.report.timeline import perfetto, spans
from tests.taskframes import Cells, Cost, cell, frames, probes_of, turns

SENT: dict[str, Any] = {"master_sent_bytes": 2_400_000, "master_threads_cpu_s": 0.1}
MADE: list[Cells] = [
    cell("sequential", 1, Cost(read_s=0.01, write_s=0.02), saving=True),
    cell("p1", 2, Cost(user_s=0.09, write_s=0.02), startup_s=0.4, saving=True, **SENT),
    cell("p2", 2, Cost(user_s=0.11, read_s=0.02), saving=True),
    cell("replicas", 2, Cost(), saving=True),
    turns(1.1, 2, rounds=4, probes={"compute": 1.0, "memory": 1.3}, saving=True),
]
TRIALS, TASKS = frames(*MADE)
PROBES = probes_of(*MADE)


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    return diagnose(TRIALS, TASKS, PROBES, "Strong scaling")


def test_a_diagnosis_has_every_table_in_every_format(found: Diagnosis) -> None:
    assert list(found.tables) == ["diagnosis", "account", "pop", "ledger"]
    for blocks in found.tables.values():
        assert all(render(blocks) for render in FORMATS.values())
        assert blocks[0].rows[0][1] in ("sequential", "P_1")
    shown = text(found.tables["diagnosis"][0])
    assert "P_1         2        coordination (serial master, transfer)" in shown


def test_the_words_name_every_strategy_and_its_cause(found: Diagnosis) -> None:
    lines = found.text.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "P_1 at 2 workers",
        "P_2 at 2 workers",
        "replicas at 2 workers",
    ]
    assert "coordination (serial master, transfer), " in lines[0]


def bars(figure: Figure) -> list[tuple[float, float]]:
    """Foot and height of every bar of the first panel."""
    return [(bar.get_y(), bar.get_height()) for bar in figure.axes[0].patches]  # type: ignore[attr-defined]


def test_stacked_parts_reach_a_hundred_and_what_is_negative_lies_below_zero() -> None:
    made = accounts(TRIALS.iloc[:6], TASKS)
    heights = bars(account_figure(made, "t"))
    assert sum(height for _, height in heights) == pytest.approx(200)
    assert min(foot + height for foot, height in heights) < 0
    assert len(heights) == 2 * 2 * len(PARTS)


def test_a_trace_has_every_stage_of_every_task_in_microseconds(found: Diagnosis) -> None:
    tasks = TASKS[(TASKS["cell"] == MADE[1][0][0].cell) & (TASKS["repetition"] == 0)]
    events = [event for event in perfetto(tasks)["traceEvents"] if event["ph"] == "X"]
    assert len(events) == len(tasks) * 2
    assert sum(event["dur"] for event in events) == pytest.approx(12 * 0.09 * 1e6)
    assert (events[0]["name"], events[0]["ts"], events[0]["tid"]) == ("transform", 400_000, 0)
    assert [name for name, _ in found.traces()][1] == "p1-2-saving"
    assert json.loads(json.dumps(dict(found.traces())))


def test_a_saver_of_its_own_has_its_stages_in_its_own_row() -> None:
    tasks = TASKS.iloc[:1].assign(saver=1, save_start_s=5.0)
    made = spans(tasks).set_index("stage")
    assert dict(made["process"]) == {"read": 0, "transform": 0, "write": 1}
    assert dict(made["begin_s"]) == pytest.approx({"read": 0.0, "transform": 0.01, "write": 5.0})


def test_what_cannot_be_diagnosed_says_why() -> None:
    assert "no sequential reference" in diagnose(*frames(MADE[1]), PROBES).text
    lost = diagnosed(TRIALS, TASKS.iloc[1:], PROBES, "t")
    assert lost.text.startswith("No account: sequential at 1 workers, cell ")
    with pytest.raises(NoTrialsError):
        diagnose(TRIALS.iloc[:0], TASKS, PROBES)
    untraced = TASKS[TASKS["cell"] != MADE[2][0][0].cell]
    assert "Note: no account of p2 at 2: no recorded tasks" in diagnose(TRIALS, untraced, PROBES).text


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for number, measured in enumerate(MADE):
        store.write(tmp_path, f"cell{number}", *measured)
    return tmp_path


def test_the_command_writes_all_and_says_it_in_words(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--results", str(results)])
    said = capsys.readouterr().out
    assert "P_1 at 2 workers, saving: coordination" in said
    folders = {"tables": "diagnosis.md", "figures": "timeline.png", "traces": "p1-2-saving.json"}
    for folder, name in folders.items():
        assert (results / folder / "strong_scaling" / name).stat().st_size
    with pytest.raises(SystemExit, match=r"no trials; `python run.py -m experiment=weak_scaling`"):
        main(["--results", str(results), "--experiment", "weak_scaling"])


def test_the_report_of_strong_scaling_has_the_diagnosis_and_no_probe_among_its_points(
    results: Path,
) -> None:
    report = strong_report(store.read_trials(results / "trials"), results)
    assert {"table", "diagnosis", "account"} <= set(report.tables)
    assert {"time", "account", "ceilings", "timeline"} <= set(report.figures)
    assert set(report.tables["table"][0].data["strategy"]) == {"sequential", "p1", "p2", "replicas"}
    without = strong_report(TRIALS, results / "elsewhere")
    assert "No account: no sequential reference" in without.tables["table"][-1].notes[-1]
