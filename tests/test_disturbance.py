"""The disturbance of a trial: the load of others, and the speed of the machine by a fixed piece of work."""

from pathlib import Path

import pytest

from experiments.machine import disturbance, environment
from tests.helpers.files import put


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CPU 1 is offline. Ticks: user nice system idle iowait irq softirq steal guest guest_nice."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(disturbance, "TICKS_PER_S", 100)
    put(
        tmp_path,
        "proc/stat",
        "cpu  900 0 0 0 0 0 0 0 0 0\n"
        "cpu0 100 200 300 5000 600 10 20 700 50 50\n"
        "cpu2 100 0 0 5000 0 0 0 0 0 0\n"
        "cpu20 500 0 0 5000 0 0 0 0 0 0\n"
        "intr 1 2 3",
    )
    return tmp_path


def test_counters_take_cpus_by_number_and_guest_time_as_user_time(machine: Path) -> None:
    used = {"busy_s": 7.3, "iowait_s": 6.0, "steal_s": 7.0}
    assert disturbance.cpu_counters({0, 2}) == pytest.approx(used)


def test_counters_are_missing_for_an_offline_cpu(machine: Path) -> None:
    assert disturbance.cpu_counters({0, 1}) == {}


def test_cpu_time_of_others_is_the_busy_time_less_the_trial() -> None:
    before = {"busy_s": 10.0, "iowait_s": 2.0, "steal_s": 1.0}
    after = {"busy_s": 14.0, "iowait_s": 1.5, "steal_s": 1.5}
    columns = {"others_cpu_s": 1.0, "iowait_s": 0, "steal_s": 0.5}
    assert disturbance.load_columns(before, after, trial_cpu_s=3.0) == columns
    assert disturbance.load_columns(before, after, trial_cpu_s=4.01)["others_cpu_s"] == 0, (
        "within a tick of it"
    )
    assert disturbance.load_columns({}, {}, trial_cpu_s=3.0) == {}


def test_seconds_of_the_kernel_are_the_best_of_its_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 7.0, 10.0, 15.0, 20.0, 29.0, 30.0, 36.0, 40.0, 48.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))

    assert disturbance.kernel_s() == 5.0


def test_kernel_takes_time() -> None:
    assert disturbance.kernel_s() > 0


@pytest.mark.parametrize(
    ("after_s", "found"),
    [
        (1.14, ["the machine ran 14 % slower after the trial than before"]),
        (0.85, ["the machine ran 15 % faster after the trial than before"]),
        (1.09, []),
        (0.91, []),
    ],
)
def test_drift_above_the_limit_is_found(after_s: float, found: list[str]) -> None:
    assert disturbance.drift_findings(1.0, after_s) == found


@pytest.mark.parametrize(
    ("walls_s", "found"),
    [
        ([10.0, 12.3, 11.0], ["the repetitions differ by 23 %"]),
        ([10.0, 10.9], []),
        ([10.0], []),
        ([], []),
    ],
)
def test_repetitions_that_differ_are_found(walls_s: list[float], found: list[str]) -> None:
    assert disturbance.spread_findings(walls_s) == found
