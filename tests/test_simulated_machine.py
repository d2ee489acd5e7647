"""The search of advise is held to machines whose truth is known."""

from experiments.calibration.simulated_machine import search


def test_a_seed_gives_one_machine_and_one_search() -> None:
    first, again = search(2), search(2)
    assert first == again
    assert first.seconds > 60  # virtual ones
    assert first.slower >= 0
