"""Every strategy against the ceiling under its own runtime, and the bars, from times chosen by hand."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.bars import bars, missed
from experiments.analysis.engines import engine_points, workloads
from experiments.plan.options import augmentations
from tests.helpers.stored_results import shown, stored
from tests.helpers.task_rows import Cells, Cost, cell, copies, frames
from tests.helpers.trial_rows import trial

FAST: Any = {"runtime_name": "fast", "runtime": '{"pipeline": "reused"}'}
NO_MEMORY = frames()[0]


def workload(fast_s: float, engine_s: float, p2_s: float, **changes: Any) -> list[Cells]:
    """Twelve tasks of 0.1 s, so 0.6 s at the ceiling of two workers, whatever the runtime."""
    runtimes: list[Any] = [{}, FAST]
    both = [kind for runtime in runtimes for kind in (cell("sequential", 1, **runtime), copies(2, **runtime))]
    timed = {"dynamic": (fast_s, FAST), "loky": (engine_s, FAST), "p2": (p2_s, {})}
    for name, (wall_s, runtime) in timed.items():
        both.append(cell(name, 2, Cost(user_s=wall_s / 6), **runtime))
    for each in both:
        for row in each.trials:
            row |= {"experiment": "engines"} | changes
    return both


def points_of(*cells: Cells) -> pd.DataFrame:
    trials, parts = frames(*cells)
    return engine_points(workloads(trials, parts))


def verdicts(*cells: Cells, memory: pd.DataFrame = NO_MEMORY) -> dict[str, tuple[float, bool]]:
    rows: list[Any] = bars(workloads(*frames(*cells)), memory).to_dict("records")
    return {
        row["bar"][0]: (round(row["ratio"], 2), row["holds"]) for row in rows if "behind" not in row["bar"]
    }


def test_a_share_is_of_the_ceiling_under_the_same_runtime() -> None:
    slower_when_fast = copies(2, Cost(user_s=0.2), **FAST)
    points = points_of(
        cell("sequential", 1),
        copies(2),
        cell("sequential", 1, **FAST),
        slower_when_fast,
        cell("p2", 2),
        cell("p2", 2, **FAST),
    )
    shares = points[points["strategy"] == "p2"].set_index("runtime_name")["ceiling_share"]
    assert shares.to_dict() == pytest.approx({"study": 1.0, "fast": 2.0}, rel=0.03)


def test_images_per_second_count_start_up_and_drain() -> None:
    points = points_of(cell("p1", 2), cell("p2", 2, startup_s=0.2, drain_s=0.1))
    _, row = points.to_dict("records")
    assert row["images_per_s"] == pytest.approx(12 / 0.9, rel=0.01)
    assert row["images_per_s_low"] < row["images_per_s"] < row["images_per_s_high"]


def test_the_bars_that_dynamic_reaches() -> None:
    assert verdicts(*workload(0.6, 0.7, 0.9)) == {"1": (1.0, True), "2": (1.5, True), "3": (1.17, True)}


def test_the_bars_that_it_does_not_reach() -> None:
    assert verdicts(*workload(0.75, 0.6, 0.75)) == {"1": (0.8, False), "2": (1.0, False), "3": (0.8, False)}


def test_where_the_time_goes_is_told_where_a_bar_is_missed() -> None:
    trials, parts = frames(*workload(0.75, 0.6, 0.75))
    [(name, split)] = missed(workloads(trials, parts), parts)
    assert name == "study, 2000x1000, no saving"
    dynamic = split[split["strategy"] == "dynamic"].iloc[0]
    assert dynamic["total_s"] == pytest.approx(2 * 0.75, rel=0.01)
    assert dynamic["extra_user_s"] == pytest.approx(12 * 0.025, rel=0.01)
    trials, parts = frames(*workload(0.6, 0.7, 0.9))
    assert list(missed(workloads(trials, parts), parts)) == []


def test_the_studys_strategies_count_as_it_ran_them_and_under_any_runtime() -> None:
    cells = [*workload(0.6, 0.7, 0.9), cell("p2", 2, Cost(user_s=0.5 / 6), experiment="engines", **FAST)]
    rows: list[Any] = bars(workloads(*frames(*cells)), NO_MEMORY).to_dict("records")
    told = {row["bar"]: (round(row["ratio"], 1), row["holds"]) for row in rows}
    assert told["2 over the study's best"] == (1.5, True)
    assert told["2 never behind the study's"] == (0.8, False)


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"pipeline": "light"}, "1.5 or more"),
        ({"pipeline": "light", "width": 500, "height": 500}, "1.8 or more"),
        ({"pipeline": "light", "width": 2000, "height": 2000}, "1.0 or more"),
        ({"pipeline": "light", "saving": True}, "1.15 or more"),
        ({"pipeline": "study"}, "1.15 or more"),
    ],
)
def test_what_has_to_be_reached_depends_on_the_workload(changes: dict[str, Any], needed: str) -> None:
    table = bars(workloads(*frames(*workload(0.6, 0.7, 0.9, **changes))), NO_MEMORY)
    assert table.set_index("bar")["needed"]["2 over the study's best"] == needed


def test_memory_and_digests() -> None:
    def memory(many_bytes: int) -> pd.DataFrame:
        small, large = (
            trial("dynamic", 2, 1.0, n_images=n, peak_rss_bytes=size)
            for n, size in ((20, 100), (1000, many_bytes))
        )
        return pd.DataFrame([small, large])

    assert verdicts(*workload(0.6, 0.7, 0.9), memory=memory(109))["4"] == (1.09, True)
    assert verdicts(*workload(0.6, 0.7, 0.9), memory=memory(120))["4"] == (1.2, False)
    cells = workload(0.6, 0.7, 0.9, outputs_digest="d" * 64)
    assert verdicts(*cells)["5"] == (1, True)
    cells[-1].trials[0]["outputs_digest"] = "e" * 64
    assert verdicts(*cells)["5"] == (2, False)


def test_the_section_names_what_does_not_apply(tmp_path: Path) -> None:
    absent = trial(
        "ray",
        2,
        None,
        status="not_applicable",
        error="ray needs ray: pip install ray",
        experiment="engines",
        saving=False,
        **{"n_images": 3, "n_augmentations": 4, "tasks": 12, "trace": True},
    )
    tables, figures = shown(stored(tmp_path, *workload(0.6, 0.7, 0.9), trials=[absent]), "engines")
    [table] = tables["table"]
    assert "Ray: ray needs ray: pip install ray." in table.notes
    assert {row[3]: row[7] for row in table.rows if row[5] == "fast"}["dynamic"].startswith("100 %")
    assert set(figures) == {"ceiling_share"}
    assert [row[0] for row in tables["bars"][0].rows] == [
        "1 of the ceiling",
        "2 never behind the study's",
        "2 over the study's best",
        "3 over the best engine",
    ]


def test_augmentations_make_trials_of_as_many_pixels() -> None:
    megapixels = {"study": [80, 80], "light": [800, 4000]}
    assert augmentations("2000x1000", 10, True, "study", megapixels) == 4
    assert augmentations("500x500", 10, True, "light", megapixels) == 320
    assert augmentations("500x500", 10, False, "light", megapixels) == 1600
    assert augmentations("2000x2000", 100, True, "mine", megapixels) == 1
