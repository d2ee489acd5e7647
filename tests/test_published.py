"""The study's printed seconds as points."""

from experiments.analysis import published


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
