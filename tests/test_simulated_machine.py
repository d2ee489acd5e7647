"""The search of advise is held to machines whose truth is known."""

from math import inf
from typing import Any

import pytest

from experiments.advise.search import Order
from experiments.analysis.candidates import Candidate
from experiments.calibration.machine_model import Curve, MachineModel
from experiments.calibration.simulated_machine import ENOUGH, SimulatedMachine, main, search

ONE, TWO = Candidate("sequential", 1, "fast"), Candidate("dynamic", 2, "fast")


@pytest.mark.once
def test_seed_gives_one_machine_and_one_search() -> None:
    first, again = search(2), search(2)
    assert first == again
    assert first.seconds > 60  # virtual ones


def test_clock_counts_what_trials_take_and_no_more() -> None:
    machine = SimulatedMachine(MachineModel(3))
    trials, parts, _ = machine.measure([Order(TWO, 4, 3, rounds=2), Order(ONE, 4, 3)])
    assert [*trials["tasks"]] == [12, 12, 12]
    assert trials["round"].value_counts().to_dict() == {1: 2, 0: 1}
    taken_s = float((trials["wall_s"] + trials["untimed_s"]).sum())
    assert 0 < machine.seconds - taken_s < 1
    for trial_id, wall_s in trials[["trial_id", "wall_s"]].itertuples(index=False):
        assert parts.of("tasks", trial_id)["end_s"].max() == pytest.approx(wall_s)


def test_candidate_beyond_the_memory_fails_and_is_never_the_best() -> None:
    model = MachineModel(0)
    model.broken, model.most_workers = None, 1
    trials, _, _ = SimulatedMachine(model).measure([Order(TWO, 4, 3)])
    assert trials["error"].iloc[0] == "workers: too little memory"
    assert model.true_s(TWO) == inf


@pytest.mark.once
@pytest.mark.parametrize("changed_at_s", [5, 60, 110])
def test_code_that_changes_during_a_search_ends_it_without_an_error(
    changed_at_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = SimulatedMachine._known

    def edited(machine: SimulatedMachine, order: Order) -> dict[str, Any]:
        return known(machine, order) | {"code_digest": str(machine.seconds > changed_at_s)}

    monkeypatch.setattr(SimulatedMachine, "_known", edited)
    outcome = search(2)
    assert outcome.seconds > changed_at_s
    assert outcome.answer


def test_speedup_follows_the_universal_scalability_law() -> None:
    assert Curve(0, 0).speedup(8) == 8
    assert Curve(0.1, 0.01).speedup(4) == pytest.approx(4 / (1 + 0.3 + 0.12))


@pytest.mark.once
def test_most_searches_end_in_time_find_one_of_the_best_and_print_a_bound_that_holds() -> None:
    checks = [search(seed).checks for seed in range(6)]
    in_time, near, covered = (sum(each) for each in zip(*checks, strict=True))
    assert in_time == len(checks)
    assert min(near, covered) >= ENOUGH * len(checks) - 2


@pytest.mark.slow
def test_200_searches_meet_what_is_asked_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["simulated_machine"])
    assert main() == 0, capsys.readouterr().out
