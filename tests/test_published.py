"""Every printed figure of the study follows from its printed seconds, but twelve."""

from pathlib import Path

import pytest

from experiments.analysis import published
from experiments.report.sections.published import SLIP
from experiments.store.files import PUBLISHED

# The printed speedups without saving at 2, 4, 8, 16, 32 and 64 workers.
SLIPS = {"p1": [1.67, 2.99, 4.73, 7.6, 8.3, 7.55], "p2": [1.66, 2.86, 5.47, 7.12, 8.25, 7.57]}


def test_slips_are_the_twelve_speedups_without_saving() -> None:
    slips = published.slips()
    assert {*zip(slips["experiment"], slips["saving"], slips["quantity"], strict=True)} == {
        ("strong_scaling", False, "speedup")
    }
    assert slips.groupby("strategy")["printed"].apply(list).to_dict() == SLIPS
    assert slips["workers"].tolist() == sorted(2 * [2, 4, 8, 16, 32, 64])


def test_slip_gives_the_right_value() -> None:
    first = published.slips().iloc[0]
    assert first["right"] == pytest.approx(76.37 / 49.27)
    assert SLIP.format(**first) == "slip: speedup of p1 at 2 workers, printed 1.67; right is 1.55."


def test_slips_divide_by_the_baseline_with_saving() -> None:
    slips = published.slips()
    assert slips["printed"].tolist() == pytest.approx(list(slips["right"] * 82.07 / 76.37), abs=0.012)


@pytest.mark.parametrize("experiment", ["strong_scaling", "weak_scaling"])
def test_all_printed_efficiencies_of_the_study_are_checked(experiment: str) -> None:
    assert published.trials(experiment)["printed_efficiency_percent"].notna().sum() == 30


@pytest.mark.parametrize(("right", "wrong"), [("43.72,1.88,94", "43.72,1.89,94"), ("5.94,123", "5.94,124")])
def test_wrong_printed_figure_would_be_found(right: str, wrong: str, tmp_path: Path) -> None:
    for name in published.POINTS:
        text = (PUBLISHED / f"{name}.csv").read_text()
        (tmp_path / f"{name}.csv").write_text(text.replace(right, wrong))
    assert len(published.slips(tmp_path)) > 12


def test_points_have_two_repetitions_and_no_interval() -> None:
    points = published.points("weak_scaling")
    assert set(points.loc[points["status"] == "ok", "repetitions"]) == {2}
    assert points["wall_s_low"].isna().all()
    assert points["normalised_efficiency"].notna().sum() == 2  # sequential at its own size, no other


def test_dash_of_the_study_is_a_cell_that_does_not_apply() -> None:
    points = published.points("strong_scaling")
    dashes = points[points["status"] == "not_applicable"]
    assert set(zip(dashes["strategy"], dashes["saving"], strict=True)) == {("pq", False)}
    assert sorted(dashes["workers"]) == [2, 4, 8, 16, 32, 64]
