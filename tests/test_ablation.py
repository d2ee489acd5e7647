"""What a policy gives back, from pairs measured in the same round, in numbers and in a chart."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from experiments.analysis.ablation import ablation_table, comparable, recovered
from experiments.analysis.scaling import NoTrialsError
from experiments.records.schema import FAILED, Trial
from experiments.report.__main__ import main
from experiments.report.ablation_figure import AXIS, ablation_figure
from experiments.report.render import text
from experiments.report.style import look
from tests.frames import BEGIN, frame, trial


def rounds(
    ablation: str, walls_s: list[float], strategy: str = "p2", workers: int = 2, **changes: Any
) -> list[Trial]:
    return [
        trial(strategy, workers, wall_s, ablation=ablation, repetition=number, **changes)
        for number, wall_s in enumerate(walls_s)
    ]


def sequential(*walls_s: float, ablation: str = "none", **changes: Any) -> list[Trial]:
    return rounds(ablation, list(walls_s), "sequential", 1, **changes)


def test_gains_are_paired_by_round_so_that_drift_cancels() -> None:
    drifting = [1.0, 1.5, 2.0, 1.2]
    trials = frame(rounds("none", drifting) + rounds("allocator", [wall_s / 2 for wall_s in drifting]))
    [one] = recovered(trials).to_dict("records")
    found = [one[f"time_recovered{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([0.5, 0.5, 0.5])
    assert one["rounds"] == 4


def test_efficiency_recovered_is_the_paired_difference_against_the_untouched_sequential_time() -> None:
    trials = frame(
        # what a policy does to the sequential time changes nothing
        sequential(8.0, 9.0, 6.0)
        + sequential(1.0, 1.0, 1.0, ablation="allocator")
        + rounds("none", [8.0, 9.0, 10.0])  # efficiencies 0.5, 0.5, 0.3
        + rounds("allocator", [5.0, 5.0, 5.0])  # 0.8, 0.9, 0.6
    )
    [one] = recovered(trials).to_dict("records")
    assert one["efficiency_without"] == pytest.approx(1.3 / 3)
    assert one["efficiency_with"] == pytest.approx(2.3 / 3)
    # differences 0.3, 0.4, 0.3: standard error 1/30, t for two degrees of freedom 4.30265
    found = [one[f"efficiency_recovered{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([1 / 3, 1 / 3 - 4.30265 / 30, 1 / 3 + 4.30265 / 30], abs=1e-6)


def test_a_baseline_of_another_workload_is_no_reference() -> None:
    others = sequential(8.0, 8.0, saving=False) + sequential(8.0, 8.0, pipeline="light")
    data = recovered(frame([*others, *rounds("none", [8.0, 9.0]), *rounds("tmpfs", [4.0, 4.5])]))
    assert data.filter(like="efficiency").isna().all(axis=None)


def test_rows_are_ranked_by_efficiency_recovered_across_points() -> None:
    trials = frame(
        sequential(16.0, 16.0)
        + rounds("none", [10.0, 10.0])  # 0.8
        + rounds("tmpfs", [8.0, 8.0])  # 1.0
        + rounds("none", [16.0, 16.0], workers=8)  # 0.125
        + rounds("spawn", [8.0, 8.0], workers=8)  # 0.25: more of the time, less of the efficiency
    )
    data = recovered(trials)
    assert list(data["ablation"]) == ["tmpfs", "spawn"]
    assert list(data["efficiency_recovered"]) == pytest.approx([0.2, 0.125])
    assert list(data["time_recovered"]) == pytest.approx([0.2, 0.5])


def test_without_a_baseline_the_time_ranks_and_noise_is_called_no_difference() -> None:
    none = [1.0, 1.0, 1.0, 1.0]
    trials = frame(
        rounds("none", none)
        + rounds("tmpfs", [0.9, 1.1, 1.0, 1.02])
        + rounds("allocator", [0.5, 0.51, 0.5, 0.49])
    )
    table = ablation_table(trials)
    assert [row[4] for row in table.rows] == ["allocator", "tmpfs"]
    assert [row[6:9] for row in table.rows] == [["-", "-", "-"]] * 2
    assert [row[-1] for row in table.rows] == ["gives time back", "no difference"]


def test_one_round_has_no_interval_and_decides_nothing() -> None:
    table = ablation_table(frame([*sequential(8.0), *rounds("none", [8.0]), *rounds("tmpfs", [5.0])]))
    assert table.rows[0][5:] == [
        *("1", "50.0%", "80.0%", "+30.0 (-)", "+38% (-)"),
        "not decided: one round",
    ]
    assert "nan" not in text(table)


def test_a_round_that_lacks_one_of_both_is_left_out() -> None:
    failed = trial("p2", 2, None, ablation="tmpfs", repetition=2, status=FAILED)
    trials = frame([*rounds("none", [8.0, 8.0, 80.0]), *rounds("tmpfs", [4.0, 4.0]), failed])
    [one] = recovered(trials).to_dict("records")
    assert (one["rounds"], one["time_recovered"]) == (2, pytest.approx(0.5))
    assert ablation_table(trials).notes[-1] == "tmpfs with P_2 at 2 workers: failed."


@pytest.mark.parametrize(
    "trials",
    [
        rounds("allocator", [1.0]),
        rounds("none", [1.0]),
        [*rounds("none", [1.0]), trial("p2", 2, 1.0, ablation="allocator", repetition=1)],
        [trial("p2", 2, None, ablation="none", status=FAILED)],
    ],
    ids=["none untouched", "no ablation", "no round with both", "all failed"],
)
def test_without_a_pair_there_is_nothing_to_say(trials: list[Trial]) -> None:
    with pytest.raises(NoTrialsError, match="ablation=none"):
        recovered(frame(trials))


def test_every_pipeline_is_kept_as_it_was_declared_last() -> None:
    later: dict[str, Any] = {"started_at": BEGIN + timedelta(hours=1), "pipeline": "light"}
    trials = frame(
        rounds("none", [8.0], cell="1")
        + rounds("tmpfs", [4.0], cell="2")
        + rounds("none", [9.0], cell="3", pipeline="light", pipeline_digest="old")
        + rounds("none", [3.0], cell="4", pipeline_digest="new", **later)
        + rounds("tmpfs", [2.0], cell="5", pipeline_digest="new", **later)
    )
    kept, note = comparable(trials)
    assert sorted(kept["cell"]) == ["1", "2", "4", "5"]
    assert note == "1 trial left out that differ from the newest in pipeline_digest"


POINTS = recovered(
    frame(
        rounds("none", [8.0, 8.0])
        + rounds("tmpfs", [8.0, 8.0])
        + rounds("allocator", [6.0, 6.0])
        + rounds("none", [8.0], "p1", 4)
        + rounds("spawn", [24.0], "p1", 4)  # thrice the time
    )
)


@pytest.fixture(scope="module")
def panels() -> dict[str, Axes]:
    return {axes.get_title(): axes for axes in ablation_figure(POINTS, "Ablations").axes}


def dots(axes: Axes) -> PathCollection:
    (found,) = (one for one in axes.collections if isinstance(one, PathCollection))
    return found


def test_each_point_has_a_panel_in_the_colour_of_its_strategy(panels: dict[str, Axes]) -> None:
    assert list(panels) == ["P_1, 4 workers, saving, study", "P_2, 2 workers, saving, study"]
    edges: list[Any] = [dots(axes).get_edgecolor() for axes in panels.values()]
    assert [to_hex(edge[0]) for edge in edges] == [look(name)["color"].lower() for name in ("p1", "p2")]
    assert list(panels.values())[-1].get_xlabel() == AXIS


def test_the_ablation_that_gives_most_back_is_on_top_at_its_per_cent(panels: dict[str, Axes]) -> None:
    axes = panels["P_2, 2 workers, saving, study"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["allocator", "tmpfs"]
    bottom, top = axes.get_ylim()
    assert bottom > top, "the first is the uppermost"
    places: Any = dots(axes).get_offsets()
    assert [float(x) for x, _ in places] == pytest.approx([25.0, 0.0])
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [0, 0], "the zero line"


def test_what_is_off_the_scale_is_named_at_its_edge(panels: dict[str, Axes]) -> None:
    axes = panels["P_1, 4 workers, saving, study"]
    assert axes.get_xlim()[0] == -100
    assert [note.get_text() for note in axes.texts] == ["−200 %"]


def test_the_legend_names_the_interval_and_single_rounds() -> None:
    entries = ablation_figure(POINTS, "Ablations").legends[0].get_texts()
    assert {entry.get_text() for entry in entries} == {"mean, 95 % interval", "one round"}


def test_the_report_writes_the_chart(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "ablation"
    folder.mkdir(parents=True)
    frame([*rounds("none", [8.0], cell="1"), *rounds("tmpfs", [4.0], cell="2")]).to_parquet(
        folder / "c.parquet"
    )
    main(["--results", str(tmp_path), "--experiment", "ablation"])
    charts = sorted(path.name for path in (tmp_path / "figures" / "ablation").iterdir())
    assert charts == ["time_given_back.png", "time_given_back.svg"]


def test_a_report_of_nothing_to_hold_against_ends_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "ablation"
    folder.mkdir(parents=True)
    frame(rounds("none", [8.0])).to_parquet(folder / "c.parquet")
    with pytest.raises(SystemExit, match=r"ablation: no round with ablation=none"):
        main(["--results", str(tmp_path), "--experiment", "ablation"])
