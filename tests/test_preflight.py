"""Findings and shortages before a sweep, on machines shown by files and fakes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from augment.datasets.base import Size
from augment.datasets.synthetic import Synthetic
from augment.filesystem import InputFiles
from augment.options import OptionError
from augment.runtime import Runtime, StartMethod
from augment.strategies import STRATEGIES
from augment.strategies.base import Strategy
from augment.strategies.engines.ray import Ray
from experiments.config.cell import Cell
from experiments.config.options import Config
from experiments.machine import environment as machine
from experiments.sweep import preflight
from experiments.sweep.inputs import Inputs
from tests.helpers.files import put

GIB = 2**30
IMAGE = 2000 * 1000 * 3


def images(suffixes: Sequence[str], *sizes: Size) -> Inputs:
    inputs = Inputs(
        InputFiles(Path(), [f"image{suffix}" for suffix in suffixes]), np.zeros((len(sizes), 3), int)
    )
    vars(inputs).update(_sizes=sizes, _sampled_sizes=sizes)  # which its headers would tell
    return inputs


PAPER = images([".jpg"] * 10, *[(2000, 1000)] * 10)


def cell(strategy: str | Strategy = "p2", workers: int = 2, **options: Any) -> Cell:
    chosen = STRATEGIES[strategy]() if isinstance(strategy, str) else strategy
    return Cell(
        Config(strategy=chosen, dataset=Synthetic(), workers=workers, **{"image_size": None} | options)
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Show an idle machine of 8 CPUs without findings."""
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr("psutil.cpu_count", lambda: 8)
    monkeypatch.setattr(preflight, "_others_cpus", lambda: 0.1)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=24 * GIB))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100 * GIB))
    monkeypatch.setattr(preflight, "OPENCV_BUILDS", ("opencv-python-headless",))
    return tmp_path


def test_good_machine_has_no_findings(root: Path) -> None:
    put(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance")
    assert [*preflight.machine_findings()] == []


def test_load_counts_cpus_whose_numbers_have_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    times = SimpleNamespace(user=5.0, nice=1.0, system=3.0, irq=0.0, softirq=1.0)
    monkeypatch.setattr("psutil.cpu_times", lambda: times)
    monkeypatch.setattr("psutil.cpu_count", lambda: 3)
    monkeypatch.setattr("os.times", lambda: (1.0, 1.0, 0.0, 0.0, 0.0))
    monkeypatch.setattr(preflight, "waiting", [])
    assert preflight._others_load()[1] == 8.0


def test_tasks_that_are_not_recorded_take_no_memory() -> None:
    memory = [preflight.needed(cell(trace=trace), PAPER)["GiB of memory"] for trace in (True, False)]
    assert memory[0] > memory[1]


def test_two_opencv_builds_are_found(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "OPENCV_BUILDS", ("opencv-python", "opencv-contrib-python"))
    for name in ("opencv_python", "opencv_contrib_python"):
        put(tmp_path, f"{name}-4.10.dist-info/METADATA", f"Name: {name.replace('_', '-')}\nVersion: 4.10")
    monkeypatch.setattr("sys.path", [str(tmp_path)])

    [finding] = preflight.machine_findings()
    assert finding.startswith("opencv-python and opencv-contrib-python are both installed")


def test_findings_of_a_machine_are_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_others_cpus", lambda: 1.2)
    for cpu, governor in enumerate(["performance", "schedutil", "powersave", "powersave"]):
        put(root, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", governor)
    put(root, "proc/self/cgroup", "0::/box")
    put(root, "sys/fs/cgroup/box/cpu.max", "150000 100000")
    assert [*preflight.machine_findings()] == [
        "other processes keep 1.2 CPUs of this machine busy; stop them",
        "CPU frequency governor powersave, schedutil: the clock will vary; choose performance",
        "affinity or a cgroup quota leaves 2 of the machine's 8 CPUs",
    ]


def test_other_files_among_the_inputs_are_a_finding(root: Path, tmp_path: Path) -> None:
    inputs = replace(PAPER, files=replace(PAPER.files, findings=["not images: 2 .txt"]))
    vars(inputs)["_sampled_sizes"] = [(1, 1)] * 10
    assert preflight.cell_findings(cell(scratch_dir=str(tmp_path)), inputs) == ["not images: 2 .txt"]


def test_oversubscription_and_threads_are_found(root: Path) -> None:
    assert [*preflight.setting_findings(cell(workers=8))] == []
    assert [*preflight.setting_findings(cell(workers=9))] == ["oversubscribed: workers=9 on 8 usable CPUs"]
    oversubscribed, forked = preflight.setting_findings(cell(workers=4, runtime=Runtime(opencv_threads=None)))
    assert oversubscribed == "oversubscribed: workers=4 with 8 OpenCV threads each on 8 usable CPUs"
    assert forked == "a fork does not copy OpenCV's threads and may hang; give runtime.start_method=spawn"
    assert [*preflight.setting_findings(cell(workers=4, runtime=Runtime(2, StartMethod.spawn)))] == []
    assert [*preflight.setting_findings(cell("sequential", 1, runtime=Runtime(8)))] == []


@pytest.mark.parametrize(
    ("strategy", "workers", "processes", "n_images", "tasks"),
    [
        ("sequential", 1, 2, 16, 1000),
        ("p2", 64, 65, 64 * 16, 1000),
        ("threads", 64, 65, 64 * 16, 1000),
        # All images in the master and, twice, in chunks; and four at the ends of each chunk.
        ("p1", 64, 65, 64 * 16 + 3 * 10 + 65 * 4, 1000),
        # Also a manager, in which 1000 outputs wait.
        ("pq", 64, 66, 64 * 16 + 3 * 10 + 66 * 4 + 1000, 1000),
        ("copies", 3, 4, 3 * 16, 3 * 1000),
        # Neighbours stream 192 MiB.
        ("interference", 3, 4, 3 * 16 + 3 * 192 * 2**20 / IMAGE, 3 * 1000),
        # Workers on another cluster need no memory of this machine.
        (Ray(address="head:6379"), 64, 1, 0, 1000),
    ],
    ids=lambda each: each.name if isinstance(each, Strategy) else None,
)
def test_memory_is_that_of_processes_images_and_tables(
    strategy: str | Strategy, workers: int, processes: int, n_images: float, tasks: int
) -> None:
    expected = processes * 75_000_000 + n_images * IMAGE + tasks * 2500
    needed = preflight.needed(cell(strategy, workers, n_augmentations=100), PAPER)
    assert needed["GiB of memory"] == expected / GIB


def test_disk_is_that_of_outputs_of_noise() -> None:
    def disk_bytes(cell: Cell, images: Inputs, n_done: int = 0) -> float:
        return preflight.needed(cell, images, n_done)["GiB of disk"] * GIB

    mixed = images([".JPG", ".png"], (100, 10), (10, 20))
    assert disk_bytes(cell(n_augmentations=2), mixed) == 2 * 2 * (600 * (1.25 + 3.1) / 2 + 4096)
    assert disk_bytes(cell(saving=False), PAPER) == 0
    assert disk_bytes(cell(n_augmentations=2), images([".jpg"], (100, 10)), n_done=1) == 1250 + 4096
    copies = cell("copies", workers=3, n_augmentations=2)
    assert disk_bytes(copies, images([".jpg"], (100, 10))) == 3 * 2 * (1250 + 4096)


@pytest.mark.parametrize("strategy", ["p1", "p2", "pq"])
def test_protocol_of_the_study_has_room_on_a_machine_of_24_gib(
    strategy: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=20 * GIB))
    assert preflight.shortages(cell(strategy, 64, n_augmentations=100), PAPER) == []


def test_shortages_name_what_is_needed_and_what_there_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need = {"GiB of memory": 30, "GiB of disk": 3, "open files": 152}
    have = {"GiB of memory": 20, "GiB of disk": 0.5, "open files": 64}
    monkeypatch.setattr(preflight, "needed", lambda *_: need)
    monkeypatch.setattr(preflight, "available", lambda _: have)
    assert preflight.shortages(cell("p1", 64, scratch_dir=str(root)), PAPER) == [
        "p1 with 64 workers needs about 30.0 GiB of memory, 20.0 are available",
        f"p1 with 64 workers needs about 3.00 GiB of disk, 0.500 are available in {root}",
        "p1 with 64 workers needs about 152 open files, 64 are available",
    ]
    monkeypatch.setattr(preflight, "available", lambda _: need)
    assert preflight.shortages(cell("p1", 64), PAPER) == []


def test_tighter_limit_of_a_cgroup_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    assert preflight.available(root) == {"GiB of memory": 24, "GiB of disk": 100, "open files": 1024}

    put(root, "proc/self/cgroup", "4:memory:/box/inner\n0::/")
    put(root, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", "5000")
    put(root, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", "3000")
    put(root, "sys/fs/cgroup/memory/box/memory.stat", "inactive_file 100\ntotal_inactive_file 700")
    assert preflight.available(root)["GiB of memory"] * GIB == 5000 - 3000 + 700

    put(root, "proc/self/cgroup", "0::/box")
    put(root, "sys/fs/cgroup/box/memory.current", "3000")
    put(root, "sys/fs/cgroup/box/memory.max", "max")
    assert preflight.available(root)["GiB of memory"] == 24
    put(root, "sys/fs/cgroup/memory.max", "4000")
    put(root, "sys/fs/cgroup/memory.current", "3900")
    assert preflight.available(root)["GiB of memory"] * GIB == 100


def test_forkserver_needs_a_short_tmpdir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/" + "x" * 60)
    preflight.check_socket(StartMethod.fork)
    with pytest.raises(OptionError, match=r"forkserver: TMPDIR=/x+ is too long .*; give at most 48"):
        preflight.check_socket(StartMethod.forkserver)
