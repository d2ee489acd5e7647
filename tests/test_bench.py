"""Every strategy against the ceiling under its own runtime, from times chosen by hand."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.analysis.scaling import bench_points
from experiments.config.options import augmentations
from experiments.report.charts import Chart
from experiments.report.sections import sections_of
from experiments.report.sections.bench import share_figure
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, copies, frames
from tests.helpers.trial_rows import BEGIN, trial

FAST: Any = {"runtime_name": "fast", "runtime": '{"reuse_pipeline": true}'}


def points_of(*cells: Cells) -> pd.DataFrame:
    points, _, _ = bench_points(*frames(*cells))
    return points


def test_share_is_of_the_ceiling_under_the_same_runtime() -> None:
    slower_when_fast = copies(2, Cost(user_s=0.2), **FAST)
    fast = cell("sequential", 1, **FAST), slower_when_fast, cell("p2", 2, **FAST)
    points = points_of(cell("sequential", 1), copies(2), cell("p2", 2), *fast)
    shares = points[points["strategy"] == "p2"].set_index("runtime_name")["ceiling_share"]
    assert shares.to_dict() == pytest.approx({"study": 1.0, "fast": 2.0}, rel=0.03)


def test_images_per_second_count_start_up_and_drain() -> None:
    cells = cell("p1", 2), cell("p2", 2, startup_s=0.2, drain_s=0.1, scales=(1.0, 0.99, 1.01))
    points = points_of(*cells)
    _, row = points.to_dict("records")
    assert row["images_per_s"] == pytest.approx(12 / 0.9, rel=0.01)
    assert row["images_per_s_low"] < row["images_per_s"] < row["images_per_s_high"]


def test_images_of_their_own_sizes_are_a_workload(tmp_path: Path) -> None:
    changes: Any = {"experiment": "bench", "width": None, "height": None}
    cells = [cell("sequential", 1, **changes), copies(2, **changes), cell("dynamic", 2, **changes)]
    table = shown(stored(tmp_path, *cells), "bench").tables["table"]
    assert {row[1] for row in table.rows} == {"native"}


def test_caption_is_of_the_saving_trials_that_are_shown(tmp_path: Path) -> None:
    other = cell("p2", 2, experiment="bench", machine="other", started_at=BEGIN - timedelta(days=1))
    cells = [cell("sequential", 1), copies(2), cell("p2", 2), cell("p2", 2, saving=False, scales=[1.0] * 9)]
    for each in cells:
        each.trials[:] = [
            row | {"experiment": "bench", "saving": len(each.trials) < 9} for row in each.trials
        ]
    [section] = [each for each in sections_of("bench") if each.name == "bench"]
    [chart, _] = [content for _, content in section.show(stored(tmp_path, other, *cells))]
    assert isinstance(chart, Chart)
    assert chart.caption == "3 rounds of 12 augmented images each, 2000x1000, m1"


def test_section_names_what_does_not_apply(tmp_path: Path) -> None:
    changes = {"experiment": "bench"} | FAST
    known: Any = {"experiment": "bench", "saving": False, "n_images": 3, "n_augmentations": 4, "tasks": 12}
    known |= {"status": "not_applicable", "error": "ray needs ray: pip install ray", "trace": True}
    absent = trial("ray", 2, None, **known)
    cells = [cell("sequential", 1, **changes), copies(2, **changes), cell("dynamic", 2, **changes)]
    table = shown(stored(tmp_path, *cells, trials=[absent]), "bench").tables["table"]
    assert "Ray: ray needs ray: pip install ray." in table.notes
    assert {row[3]: row[7] for row in table.rows if row[5] == "fast"}["dynamic"].startswith("100 %")


def test_chart_has_a_mark_per_pipeline_with_its_range_and_the_best_strategy_first() -> None:
    shares = [("p2", "study", 0.5), ("p2", "study", 0.7), ("p2", "study", 0.6), ("p2", "light", 0.4)]
    rows = [*shares, ("dynamic", "study", 0.9), ("dynamic", "light", 0.8)]
    points = pd.DataFrame(rows, columns=["strategy", "pipeline", "ceiling_share"]).assign(runtime_name="fast")
    figure = share_figure(points)
    [axes] = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["dynamic", "P_2"]
    assert axes.yaxis_inverted()
    drawn = [np.asarray(line.get_xdata()).tolist() for line in axes.lines]
    bars: Any = axes.collections
    ranges = [bar.get_segments()[0][:, 0].tolist() for bar in bars]
    assert [50.0, 70.0] in ranges, "over image sizes"
    assert [60.0] in drawn, "their median"


def test_augmentations_make_trials_of_as_many_pixels() -> None:
    megapixels = {"study": [80, 80], "light": [800, 4000]}
    assert augmentations("2000x1000", 10, True, "study", megapixels) == 4
    assert augmentations("500x500", 10, True, "light", megapixels) == 320
    assert augmentations("500x500", 10, False, "light", megapixels) == 1600
    assert augmentations("2000x2000", 100, True, "mine", megapixels) == 1
