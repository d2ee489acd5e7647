"""The table of coverage: simulated machines, and what the command says of their intervals."""

import numpy as np
import pytest

from experiments.analysis.statistics import Interval
from experiments.calibration import coverage
from experiments.calibration.drifting_machine import DRIFT, DriftingMachine, Scenario


def levels(memory_s: float) -> list[float]:
    """Return the levels of a machine second by second."""
    machine = DriftingMachine(Scenario("", memory_s=memory_s), np.random.default_rng(1))
    return [machine.level(1.0) for _ in range(5000)]


def test_machine_drifts_with_its_memory() -> None:
    assert np.std(levels(10.0)) == pytest.approx(DRIFT, rel=0.2)
    steps = [np.std(np.diff(levels(memory_s))) for memory_s in (10.0, 1000.0)]
    assert steps[0] > 5 * steps[1]


def test_rounds_measure_every_cell_once_and_the_baseline_twice() -> None:
    machine = DriftingMachine(Scenario(""), np.random.default_rng(1))
    trials = machine.sweep(2, a=np.zeros(4), b=np.ones(4))
    counts = trials.groupby(["round", "cell", "side"]).size()
    assert counts.unstack("cell").to_numpy().tolist() == [[2, 1, 1, 1]] * 4
    assert trials["started_at"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("held", "verdict", "is_as_said"),
    [(1900, "93 % to 98 %", True), (1700, "less than 93 %", False), (2000, "more than 98 %", True)],
)
def test_row_says_whether_the_coverage_is_as_it_should_be(held: int, verdict: str, is_as_said: bool) -> None:
    texts, as_said = coverage.row("speedup", Scenario("calm"), held, 2000)
    assert (texts[-1], as_said) == (verdict, is_as_said)


def test_interval_without_ends_holds_nothing() -> None:
    assert not coverage.holds(Interval(1.0, np.nan, np.nan), 1.0)


@pytest.mark.once
def test_command_prints_a_row_for_each_interval_and_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = [(simulate, scenarios[:1]) for simulate, scenarios in coverage.SIMULATIONS]
    monkeypatch.setattr(coverage, "SIMULATIONS", fewer)
    monkeypatch.setattr("sys.argv", ["coverage", "--simulations", "20", "--processes", "1"])
    assert coverage.main() == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(coverage.SIMULATIONS) + 4
    assert len({row.split("|")[1] for row in rows}) == len(rows)
