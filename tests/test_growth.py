"""Coordination and memory against images and workers, from times chosen by hand."""

from pathlib import Path
from typing import Any

import pytest

from experiments.analysis.growth import growth
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, frames


def tiny(n_images: int, workers: int = 2, gap_s: float = 2e-6, process_bytes: int = 50_000_000) -> Cells:
    result = cell("dynamic", workers, Cost(user_s=1e-4), tasks=24, gap_s=gap_s, experiment="growth")
    for row in result.trials:
        row |= {"n_images": n_images, "inputs_digest": f"{n_images:064}", "processes": workers + 1}
        row["peak_rss_bytes"] = process_bytes * (workers + 1)
    return result


def test_what_is_between_tasks_and_in_a_process() -> None:
    points = growth(*frames(tiny(10), tiny(1000, gap_s=6e-6, process_bytes=80_000_000)))
    values: Any = points[["n_images", "coordination_s", "process_bytes"]].to_numpy().tolist()
    assert values == [
        [10, pytest.approx(2e-6, rel=1e-3), pytest.approx(5e7)],
        [1000, pytest.approx(6e-6, rel=1e-3), pytest.approx(8e7)],
    ]


def test_the_section_draws_both(tmp_path: Path) -> None:
    cells = [tiny(n_images, workers) for n_images in (10, 100, 1000) for workers in (2, 8)]
    tables, figures = shown(stored(tmp_path, *cells), "growth")
    assert [row[:3] for row in tables["table"][0].rows][:2] == [
        ["dynamic", "2", "10"],
        ["dynamic", "2", "100"],
    ]
    assert [axes.get_title() for axes in figures["growth"].axes[:2]] == ["8 workers", "100 images"]
