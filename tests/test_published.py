"""Every printed figure of the study follows from its printed seconds, but twelve."""

from pathlib import Path

import pytest

from experiments.analysis import published
from experiments.report.sections.published import SLIP


def test_the_slips_are_the_twelve_speedups_without_saving() -> None:
    result = {
        (*slip,) for slip in published.slips()[["strategy", "workers", "printed"]].itertuples(index=False)
    }

    assert result == {
        *(
            ("p1", 2, 1.67),
            ("p1", 4, 2.99),
            ("p1", 8, 4.73),
            ("p1", 16, 7.6),
            ("p1", 32, 8.3),
            ("p1", 64, 7.55),
        ),
        *(
            ("p2", 2, 1.66),
            ("p2", 4, 2.86),
            ("p2", 8, 5.47),
            ("p2", 16, 7.12),
            ("p2", 32, 8.25),
            ("p2", 64, 7.57),
        ),
    }
    kinds = published.slips()[["experiment", "saving", "quantity"]].drop_duplicates()
    assert kinds.to_numpy().tolist() == [["strong_scaling", False, "speedup"]]


def test_slip_gives_the_right_value() -> None:
    first = published.slips().iloc[0]

    assert first["right"] == pytest.approx(76.37 / 49.27)
    assert SLIP.format(**first) == "slip: speedup of p1 at 2 workers, printed 1.67; right is 1.55."


def test_the_slips_divide_by_the_baseline_with_saving() -> None:
    slips = published.slips()
    assert slips["printed"].tolist() == pytest.approx(list(slips["right"] * 82.07 / 76.37), abs=0.012)


@pytest.mark.parametrize(("experiment", "printed"), [("strong_scaling", 30), ("weak_scaling", 30)])
def test_all_printed_efficiencies_of_the_study_are_checked(experiment: str, printed: int) -> None:
    rows = published.trials(experiment)

    assert rows["printed_efficiency_percent"].notna().sum() == printed


@pytest.mark.parametrize("column", ["printed_speedup", "printed_efficiency_percent"])
def test_wrong_printed_figure_would_be_found(column: str, tmp_path: Path) -> None:
    for name in published.POINTS:
        text = (published.FOLDER / f"{name}.csv").read_text()
        right, wrong = {
            "printed_speedup": ("43.72,1.88,94", "43.72,1.89,94"),
            "printed_efficiency_percent": ("5.94,123", "5.94,124"),
        }[column]
        (tmp_path / f"{name}.csv").write_text(text.replace(right, wrong))

    assert len(published.slips(tmp_path)) > 12


def test_points_have_two_repetitions_and_no_interval() -> None:
    points = published.points("weak_scaling")
    measured = points[points["status"] == "ok"]

    assert set(measured["repetitions"]) == {2}
    assert points["wall_s_low"].isna().all()
    assert points["normalised_efficiency"].notna().sum() == 2  # sequential at its own size, no other


def test_dash_of_the_study_is_a_cell_that_does_not_apply() -> None:
    points = published.points("strong_scaling")
    dashes = points[points["status"] == "not_applicable"]

    assert set(zip(dashes["strategy"], dashes["saving"], strict=True)) == {("pq", False)}
    assert sorted(dashes["workers"]) == [2, 4, 8, 16, 32, 64]
