"""The stages of tasks in time, as a chart that stays small."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from experiments.report.sections.timeline import MAX_BARS, at_largest_count, spans, timeline_figure
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cost, cell, frames
from tests.helpers.trial_rows import frame, trial

pytestmark = pytest.mark.once

P1 = cell("p1", 2, Cost(user_s=0.09, write_s=0.02), startup_s=0.4, saving=True)


def test_a_task_is_a_span_for_each_stage_that_took_time() -> None:
    tasks = frame(P1.tasks[:1], "tasks")
    each = spans(tasks).set_index("stage")
    assert dict(each["process"]) == {"transform": 0, "write": 0}
    assert dict(each["begin_s"]) == pytest.approx({"transform": 0.4, "write": 0.47})
    assert dict(each["seconds"]) == pytest.approx({"transform": 0.07, "write": 0.02})


def test_a_saver_of_its_own_has_its_stages_in_its_own_row() -> None:
    tasks = frame(P1.tasks[:1], "tasks").assign(saving_process=1, save_start_s=5.0)
    each = spans(tasks).set_index("stage")
    assert dict(each["process"]) == {"transform": 0, "write": 1}
    assert dict(each["begin_s"]) == pytest.approx({"transform": 0.4, "write": 5.0})


def test_a_panel_shows_a_trial_up_to_its_end() -> None:
    trials, parts = frames(P1)
    (axes,) = timeline_figure(trials.head(1).to_dict("records"), parts, "t").axes
    assert axes.get_title(loc="left") == "P_1, 2 workers: 0.94 s"
    assert "seconds" in axes.get_xlabel()
    ends: Any = axes.lines[0].get_xdata()
    assert ends[0] == pytest.approx(0.94)
    bars = [path for collection in axes.collections for path in collection.get_paths()]
    assert len(bars) == 2 * 12


def test_strategies_are_shown_at_the_largest_count_that_the_cpus_hold() -> None:
    counts = [("sequential", 1), ("p2", 4), ("p1", 4), ("p1", 8), ("p1", 16), ("p2", 16)]
    trials = frame(trial(strategy, workers, 1.0, usable_cpus=4) for strategy, workers in counts)
    assert [(each["strategy"], each["workers"]) for each in at_largest_count(trials)] == [
        ("p1", 4),
        ("p2", 4),
    ]
    assert [each["workers"] for each in at_largest_count(trials[1:].assign(usable_cpus=1))] == [4, 4]
    assert [each["strategy"] for each in at_largest_count(trials.assign(usable_cpus=1))] == ["sequential"]


def test_a_large_trial_is_drawn_in_bounded_memory(tmp_path: Path) -> None:
    results = stored(tmp_path, cell("p1", 2, Cost(user_s=0.001, write_s=0.0005), tasks=30_000, scales=[1]))
    results.trials  # noqa: B018 (read what is not measured here)
    tracemalloc.start()
    _, figures = shown(results, "timeline")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    bars = [path for collection in figures["timeline"].axes[0].collections for path in collection.get_paths()]
    assert len(bars) <= MAX_BARS
    assert peak_bytes < 60_000_000  # as much again for each of 1,000,000 tasks would be 2 GB
