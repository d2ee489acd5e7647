"""The environment and the fingerprint of a machine that a folder of files shows, and the code on it."""

import subprocess
import time
from pathlib import Path

import pytest

from experiments import ROOT
from experiments.machine import environment as machine
from tests.helpers.commands import interpreter
from tests.helpers.files import put


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Show nothing of the machine, on which this process may use 64 CPUs."""
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    return tmp_path


STUDY = """\
Architecture:            x86_64
  CPU op-mode(s):        32-bit, 64-bit
CPU(s):                  64
  On-line CPU(s) list:   0-63
Vendor ID:               GenuineIntel
  Model name:            Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz
    Thread(s) per core:  2
    Core(s) per socket:  16
    Socket(s):           2
    CPU max MHz:         3400.0000
Caches (sum of all):
  L1d cache:             1.5 MiB (32 instances)
  L1i cache:             1 MiB (32 instances)
  L2 cache:              40 MiB (32 instances)
  L3 cache:              48 MiB (2 instances)
NUMA:
  NUMA node(s):          2
  NUMA node0 CPU(s):     0-15,32-47
"""


@pytest.fixture
def study(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Show the study's machine, as lscpu does: 2 sockets of 16 cores, 2 threads each."""
    put(bare, "bin/lscpu", f"#!/bin/sh\n/bin/cat <<'END'\n{STUDY}END")
    (bare / "bin/lscpu").chmod(0o755)
    put(bare, "etc/os-release", 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"')
    monkeypatch.setenv("PATH", str(bare / "bin"))
    return bare


def test_machine_of_the_study_is_described_as_in_the_study(study: Path) -> None:
    environment = machine.environment()
    assert list(environment.items())[:12] == [
        ("Model name", "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz"),
        ("Socket(s)", "2"),
        ("Core(s) per socket", "16"),
        ("CPU(s)", "64"),
        ("L1d cache", "1.5 MiB (32 instances)"),
        ("L1i cache", "1 MiB (32 instances)"),
        ("L2 cache", "40 MiB (32 instances)"),
        ("L3 cache", "48 MiB (2 instances)"),
        ("NUMA node(s)", "2"),
        ("CPU max MHz", "3400.0000"),
        ("hypervisor", "none"),
        ("usable CPUs", "64"),
    ]
    assert environment["operating system"] == "Ubuntu 22.04.5 LTS"


def test_machine_that_shows_nothing_is_unknown(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    environment = machine.environment()
    hidden = (*machine.HARDWARE, "CPU max MHz", "hypervisor", "operating system")
    assert {environment[label] for label in hidden} == {"unknown"}
    assert machine.fingerprint(environment).startswith("unknown-64cpus-")


def test_this_machine_is_described_too() -> None:
    environment = machine.environment()
    assert all(text and "\n" not in text for text in environment.values())
    assert environment["usable CPUs"] == str(machine.usable_cpus())
    assert machine.fingerprint(environment) == machine.fingerprint(machine.environment())


def test_fingerprint_changes_with_the_machine_and_not_with_updates(study: Path) -> None:
    environment = machine.environment()
    name = machine.fingerprint(environment)
    assert name == "intel-xeon-silver-4314-64cpus-" + name[-8:]
    for label in (*machine.HARDWARE, "usable CPUs"):
        assert machine.fingerprint(environment | {label: "another"}) != name
    for label in ("kernel", "NumPy", "OpenCV", "Python", "CPU max MHz", "memory", "operating system"):
        assert machine.fingerprint(environment | {label: "another"}) == name
    assert machine.fingerprint(environment | {"L2 cache": "40 MiB"}) == name, "an older lscpu"


@pytest.mark.parametrize(
    ("cpu", "slug"),
    [
        ("AMD Ryzen 9 7950X 16-Core Processor", "amd-ryzen-9-7950x"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "intel-core-i7-8550u"),
        ("Neoverse-N1", "neoverse-n1"),
        ("®", "unknown"),
    ],
)
def test_fingerprint_holds_the_plain_name_of_the_processor(cpu: str, slug: str) -> None:
    assert machine.fingerprint({"Model name": cpu, "usable CPUs": "8"}).startswith(f"{slug}-8cpus-")


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, 64),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "250000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1000 100000"}, 1),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "400000 100000"}, 4),
        ({"proc/self/cgroup": "0::/../host/path", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
        (
            {
                "proc/self/cgroup": "9:name=systemd:/\n4:cpu,cpuacct:/box\n0::/",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "150000",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            2,
        ),
    ],
    ids=["no cgroup", "no limit", "rounded up", "at least one", "limit above", "host's path", "version 1"],
)
def test_quota_of_a_cgroup_limits_the_usable_cpus(bare: Path, files: dict[str, str], cpus: int) -> None:
    for path, text in files.items():
        put(bare, path, text)
    assert machine.usable_cpus() == cpus


def test_seconds_of_a_command_begin_with_its_process() -> None:
    code = "from experiments.machine.environment import command_s; print(command_s())"
    begin_s = time.monotonic()
    seconds = float(interpreter("-c", code, cwd=ROOT).stdout)
    assert 0 < seconds <= time.monotonic() - begin_s + 0.01  # a tick


def test_affinity_limits_the_usable_cpus(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5})
    put(bare, "proc/self/cgroup", "0::/")
    put(bare, "sys/fs/cgroup/cpu.max", "800000 100000")
    assert machine.usable_cpus() == 2


def test_commit_is_marked_when_a_tracked_file_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)

    def git(*words: str) -> str:
        person = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", *person, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    assert machine.git_commit() is None, "no repository"
    git("init")
    assert machine.git_commit() is None, "no commit"
    put(tmp_path, "file", "1")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert machine.git_commit() == commit
    put(tmp_path, "untracked", "1")
    assert machine.git_commit() == commit
    put(tmp_path, "file", "2")
    assert machine.git_commit() == f"{commit}+dirty"
    monkeypatch.setenv("PATH", "")
    assert machine.git_commit() is None, "no git"


def test_git_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, timeout: float, **__: object) -> None:
        assert timeout == 2
        raise subprocess.TimeoutExpired("git", timeout)

    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(machine, "CHECKOUT", tmp_path)
    monkeypatch.setattr(subprocess, "run", hang)
    assert machine.git_commit() is None


def test_version_is_of_the_first_package_that_is_installed() -> None:
    assert machine.version("no-such-package", "pytest") == pytest.__version__
    assert machine.version("no-such-package") == machine.UNKNOWN
