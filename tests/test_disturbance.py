"""The disturbance of a trial: the load of others on its CPUs."""

from pathlib import Path

import pytest

from experiments.machine import environment
from tests.helpers.files import put


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CPU 1 is offline. Ticks: user nice system idle iowait irq softirq steal guest guest_nice."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "TICKS_PER_S", 100)
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
    assert environment.cpu_counters({0, 2}) == pytest.approx(used)


def test_counters_are_missing_for_an_offline_cpu(machine: Path) -> None:
    assert environment.cpu_counters({0, 1}) == {}


def test_cpu_time_of_others_is_the_busy_time_less_the_trial() -> None:
    before = {"busy_s": 10.0, "iowait_s": 2.0, "steal_s": 1.0}
    after = {"busy_s": 14.0, "iowait_s": 1.5, "steal_s": 1.5}
    columns = {"others_cpu_s": 1.0, "iowait_s": 0, "steal_s": 0.5}
    assert environment.load_columns(before, after, trial_cpu_s=3.0) == columns
    assert environment.load_columns(before, after, trial_cpu_s=4.01)["others_cpu_s"] == 0, (
        "within a tick of it"
    )
    assert environment.load_columns({}, {}, trial_cpu_s=3.0) == {}
