"""What a policy gives back, from pairs measured in the same round."""

import pytest

from experiments.record import Trial
from experiments.reporting.scaling import NoTrialsError
from experiments.reporting.toggles import recovered, toggles_table
from tests.frames import frame, trial


def rounds(toggle: str, walls_s: list[float]) -> list[Trial]:
    return [trial("p2", 2, wall_s, toggle=toggle, repetition=number) for number, wall_s in enumerate(walls_s)]


def test_gains_are_paired_by_round_so_that_drift_cancels() -> None:
    drifting = [1.0, 1.5, 2.0, 1.2]
    trials = frame(rounds("none", drifting) + rounds("allocator", [wall_s / 2 for wall_s in drifting]))
    [one] = recovered(trials).to_dict("records")
    assert one["recovered"] == pytest.approx(0.5)
    assert (one["low"], one["high"]) == pytest.approx((0.5, 0.5))
    assert one["rounds"] == 4


def test_the_most_comes_first_and_noise_is_called_no_difference() -> None:
    none = [1.0, 1.0, 1.0, 1.0]
    trials = frame(
        rounds("none", none)
        + rounds("tmpfs", [0.9, 1.1, 1.0, 1.02])
        + rounds("allocator", [0.5, 0.51, 0.5, 0.49])
    )
    table = toggles_table(trials)
    assert [row[4] for row in table.rows] == ["allocator", "tmpfs"]
    assert [row[-1] for row in table.rows] == ["gives time back", "no difference"]


def test_without_the_untouched_cell_there_is_nothing_to_say() -> None:
    with pytest.raises(NoTrialsError, match="toggle=none"):
        recovered(frame(rounds("allocator", [1.0])))
