"""What each transform costs beside P workers, in numbers worked out by hand."""

from typing import Any

import pytest

from experiments.report.diagnosis import diagnose
from experiments.report.transforms import transform_inflations, transform_tables, transforms_figure
from tests.taskframes import Cells, Cost, cell, frames, probes_of


def spent(blur_s: float, flip_s: float) -> Cost:
    return Cost(user_s=0.1, transforms_s={"Blur": blur_s, "Flip": flip_s})


REFERENCE = cell("sequential", 1, spent(0.04, 0.01))
MADE: list[Cells] = [
    REFERENCE,
    cell("p1", 2, spent(0.06, 0.01)),
    cell("p1", 16, spent(0.08, 0.04)),
    cell("p2", 2, spent(0.04, 0.02), scales=[1.0]),
]
FOUND = transform_inflations(*frames(*MADE))


def at(strategy: str, workers: int, transform: str) -> Any:
    chosen = (FOUND["strategy"] == strategy) & (FOUND["workers"] == workers)
    [row] = FOUND[chosen & (FOUND["transform"] == transform)].to_dict("records")
    return row


def test_a_call_is_compared_with_the_same_calls_of_the_reference() -> None:
    blur = at("p1", 2, "Blur")
    assert (blur["calls"], blur["call_s"], blur["reference_call_s"]) == pytest.approx((12, 0.06, 0.04))
    assert blur["reference_share"] == pytest.approx(0.4)
    assert blur["inflation"] == pytest.approx(1.5)
    assert 1.5 * 0.98 < blur["low"] < 1.5 < blur["high"] < 1.5 * 1.02  # repetitions are 1 % apart
    assert at("p1", 2, "Flip")["inflation"] == pytest.approx(1)


def test_one_repetition_has_no_interval() -> None:
    assert at("p2", 2, "Flip")["inflation"] == pytest.approx(2)
    assert at("p2", 2, "Flip")["low"] != at("p2", 2, "Flip")["low"]


def test_only_tasks_that_were_done_here_count_in_the_reference() -> None:
    trials, tasks = frames(REFERENCE, cell("p1", 2, spent(0.06, 0.01)))
    own, last = tasks["cell"] == trials["cell"].iloc[-1], tasks["augmentation_index"] == 3
    dear = tasks["transforms_s"].where(own | ~last, '{"Blur": 100}')
    found = transform_inflations(trials, tasks.assign(transforms_s=dear)[~(own & last)])
    blur = found[(found["strategy"] == "p1") & (found["transform"] == "Blur")]
    assert (blur["calls"].item(), blur["reference_call_s"].item()) == pytest.approx((9, 0.04))


def test_the_table_begins_with_the_dearest_transform() -> None:
    [table] = transform_tables(FOUND, "t")
    assert table.columns[4:] == [("P_1", "P = 2"), ("P_1", "P = 16"), ("P_2", "P = 2")]
    assert table.rows == [
        ["Blur", "12", "40", "40.0%", "1.50", "2.00", "1.00"],
        ["Flip", "12", "10", "10.0%", "1.00", "4.00", "2.00"],
    ]
    assert table.notes[1].startswith("50% of the transform stage is in no transform")


def test_the_chart_has_a_panel_per_transform_and_what_sharing_the_cpus_forces() -> None:
    blur, flip = transforms_figure(FOUND, "t", usable_cpus=8).axes
    assert [axes.get_title().splitlines()[0] for axes in (blur, flip)] == ["Blur", "Flip"]
    lines = dict(zip(*reversed(blur.get_legend_handles_labels()), strict=True))
    assert list(lines["P / CPUs: shared CPUs alone"].get_ydata()) == [1, 2]  # of 2 and 16 workers
    assert list(lines["P_1"].lines[0].get_ydata()) == pytest.approx([1.5, 2])
    assert [tick.get_text() for tick in flip.get_xticklabels()] == ["2", "16"]


def test_rows_of_earlier_versions_have_a_diagnosis_without_transforms() -> None:
    new = diagnose(*frames(REFERENCE, cell("replicas", 2, spent(0.04, 0.01))), probes_of())
    assert "transforms" in {*new.tables} & {*new.figures}
    old = diagnose(*frames(cell("sequential", 1), cell("replicas", 2)), probes_of())
    assert "account" in old.tables
    assert "transforms" not in {*old.tables, *old.figures}
