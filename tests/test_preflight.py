"""Findings and shortages before a sweep, on machines shown by files and fakes."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from augment.datasets.synthetic import Synthetic
from augment.runtime import Runtime, StartMethod
from augment.strategies import STRATEGIES
from augment.strategies.base import Strategy
from augment.strategies.engines.ray import Ray
from augment.strategies.pool import P1
from experiments.config.cell import Cell
from experiments.config.options import Config
from experiments.machine import environment as machine
from experiments.machine import limits as resources
from experiments.machine.limits import Resources, available
from experiments.sweep import preflight
from experiments.sweep.preflight import machine_findings, needed, setting_findings, shortages
from tests.helpers.files import put

GIB = 2**30
IMAGE = 2000 * 1000 * 3
PAPER, SUFFIXES = [(2000, 1000)] * 10, [".jpg"] * 10


def cell(strategy: str | Strategy = "p2", workers: int = 2, **options: Any) -> Cell:
    chosen = STRATEGIES[strategy]() if isinstance(strategy, str) else strategy
    return Cell(Config(strategy=chosen, dataset=Synthetic(), workers=workers, **options))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Show an idle machine of 8 CPUs without findings."""
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr("psutil.cpu_count", lambda: 8)
    monkeypatch.setattr("psutil.cpu_percent", lambda seconds: 1.0)
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=24 * GIB))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100 * GIB))
    monkeypatch.setattr(preflight, "OPENCV_BUILDS", ("opencv-python-headless",))
    (tmp_path / "dev/shm").mkdir(parents=True)
    return tmp_path


def test_a_good_machine_has_no_findings(root: Path) -> None:
    put(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance")
    assert machine_findings() == []


def test_two_opencv_builds_are_found(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name in ("opencv_python", "opencv_contrib_python"):
        put(tmp_path, f"{name}-4.10.dist-info/METADATA", f"Name: {name.replace('_', '-')}\nVersion: 4.10")
    monkeypatch.setattr("sys.path", [str(tmp_path)])

    (found,) = preflight._opencv()

    assert found.startswith("opencv-python and opencv-contrib-python are both installed")


def test_load_of_others_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.cpu_percent", lambda seconds: 15.0)
    assert machine_findings() == ["other processes keep 1.2 CPUs of this machine busy; stop them"]


def test_governors_are_found(root: Path) -> None:
    for cpu, governor in enumerate(["performance", "schedutil", "powersave", "powersave"]):
        put(root, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", governor)
    (found,) = machine_findings()
    assert found.startswith("CPU frequency governor powersave, schedutil: ")


def test_fewer_cpus_than_the_machine_has_are_found(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/box")
    put(root, "sys/fs/cgroup/box/cpu.max", "150000 100000")
    assert machine_findings() == ["affinity or a cgroup quota leaves 2 of the machine's 8 CPUs"]


def test_missing_or_tiny_shared_memory_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=8192))
    assert machine_findings() == ["/dev/shm, where multiprocessing keeps its locks, has 8 KiB left; empty it"]
    os.rmdir(root / "dev/shm")
    assert machine_findings() == [
        "/dev/shm, where multiprocessing keeps its locks, cannot be written; make it writable"
    ]


def test_oversubscription_and_threads_are_found(root: Path) -> None:
    assert setting_findings(cell(workers=8)) == []
    assert setting_findings(cell(workers=9)) == ["oversubscribed: workers=9 on 8 usable CPUs"]
    oversubscribed, forked = setting_findings(cell(workers=4, runtime=Runtime(opencv_threads=None)))
    assert oversubscribed == "oversubscribed: workers=4 with 8 OpenCV threads each on 8 usable CPUs"
    assert forked == "a fork does not copy OpenCV's threads and may hang; give runtime.start_method=spawn"
    assert setting_findings(cell(workers=4, runtime=Runtime(2, StartMethod.spawn))) == []
    assert setting_findings(cell("sequential", 1, runtime=Runtime(8))) == []


@pytest.mark.parametrize(
    ("strategy", "workers", "processes", "copies"),
    [
        ("sequential", 1, 2, 16),
        ("p2", 64, 65, 64 * 16),
        ("threads", 64, 65, 64 * 16),
        # All images in the master; 4 in each process and all once more on their way.
        ("p1", 64, 65, 64 * 16 + 10 + 4 * 65 + 10),
        # Also a manager, in which 1000 outputs wait.
        ("pq", 64, 66, 64 * 16 + 10 + 4 * 66 + 10 + 1000),
    ],
)
def test_memory_is_that_of_processes_images_and_tables(
    strategy: str, workers: int, processes: int, copies: int
) -> None:
    expected = processes * 75_000_000 + copies * IMAGE + 1000 * 2500
    assert needed(cell(strategy, workers, n_augmentations=100), PAPER, SUFFIXES).memory_bytes == expected


def test_memory_of_instruments_counts_all_tasks_of_each_worker() -> None:
    expected = 4 * 75_000_000 + 3 * 16 * IMAGE + 3 * 1000 * 2500
    assert needed(cell("copies", 3, n_augmentations=100), PAPER, SUFFIXES).memory_bytes == expected
    streamed = 3 * 192 * 2**20
    interference = cell("interference", 3, n_augmentations=100)
    assert needed(interference, PAPER, SUFFIXES).memory_bytes == expected + streamed


def test_memory_grows_with_the_requested_chunk() -> None:
    """A chunk of 250 tasks, 100 an image, has at most 5 images; 3 processes have two copies of it."""
    expected = 3 * 75_000_000 + (2 * 16 + 10 + 3 * 2 * 5) * IMAGE + 1000 * 2500
    cell_of_chunks = cell(P1(chunksize=250), n_augmentations=100)
    assert needed(cell_of_chunks, PAPER, SUFFIXES).memory_bytes == expected


def test_workers_on_another_cluster_need_no_memory_of_this_machine() -> None:
    cluster = cell(Ray(address="head:6379"), 64, n_augmentations=100)
    assert needed(cluster, PAPER, SUFFIXES).memory_bytes == 75_000_000 + 1000 * 2500


def test_disk_and_open_files_by_hand() -> None:
    need = needed(cell(workers=10, n_augmentations=2), [(100, 10), (10, 20)], [".JPG", ".png"])
    assert need.disk_bytes == 2 * (1250 + 4096 + 620 + 4096)
    assert need.open_files == 24 + 2 * 10

    kept = cell(n_augmentations=2, output_dir="out", repetitions=3)
    assert needed(kept, [(100, 10)], [".tiff"]).disk_bytes == 2 * 2 * (4100 + 4096)
    assert needed(cell(saving=False), [(100, 10)], [".jpg"]).disk_bytes == 0
    copies = cell("copies", workers=3, n_augmentations=2)
    assert needed(copies, [(100, 10)], [".jpg"]).disk_bytes == 3 * 2 * (1250 + 4096)


@pytest.mark.parametrize("strategy", ["p1", "p2", "pq"])
def test_the_study_s_protocol_has_room_on_a_machine_of_24_gib(
    strategy: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=20 * GIB))
    assert shortages(cell(strategy, 64, n_augmentations=100), PAPER, SUFFIXES, root) == []


def test_shortages_name_what_is_needed_and_what_there_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need, have = Resources(30 * GIB, 3 * GIB, 152), Resources(20 * GIB, GIB // 2, 64)
    monkeypatch.setattr(preflight, "needed", lambda *_: need)
    monkeypatch.setattr(preflight, "available", lambda _: have)
    assert shortages(cell("p1", 64), PAPER, SUFFIXES, root) == [
        "memory: p1 with 64 workers needs about 30 GiB, 20 GiB are available",
        f"disk: the outputs need up to 3 GiB, 0.5 GiB are free in {root}",
        "open files: p1 with 64 workers needs about 152, ulimit -n is 64",
    ]
    monkeypatch.setattr(preflight, "available", lambda _: need)
    assert shortages(cell("p1", 64), PAPER, SUFFIXES, root) == []


def test_a_cgroup_s_limit_counts_where_it_is_tighter(root: Path) -> None:
    assert available(root / "not" / "there") == Resources(24 * GIB, 100 * GIB, 1024)

    put(root, "proc/self/cgroup", "4:memory:/box/inner\n0::/")
    put(root, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", "5000")
    put(root, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", "3000")
    put(root, "sys/fs/cgroup/memory/box/memory.stat", "inactive_file 100\ntotal_inactive_file 700")
    assert available(root).memory_bytes == 5000 - 3000 + 700

    put(root, "proc/self/cgroup", "0::/box")
    put(root, "sys/fs/cgroup/box/memory.current", "3000")
    put(root, "sys/fs/cgroup/box/memory.max", "max")
    assert available(root).memory_bytes == 24 * GIB
    put(root, "sys/fs/cgroup/memory.max", "4000")
    put(root, "sys/fs/cgroup/memory.current", "3900")
    assert available(root).memory_bytes == 100


def test_no_limit_of_open_files_is_a_high_one(monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr("resource.getrlimit", lambda _: (unlimited, unlimited))
    assert resources.open_files_limit() > 1_000_000
