"""What would spoil a sweep, on machines that folders of files and fakes play, by hand-computed numbers."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from augment.datasets.synthetic import Synthetic
from augment.runtime import Runtime
from augment.strategies import STRATEGIES
from augment.strategies.base import PROCESS_BYTES, WORKING_COPIES
from augment.strategies.pool import P1
from augment.task_log.processes import StartMethod
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
PAPER = [(2000, 1000)] * 10


def cell(strategy: str = "p2", workers: int = 2, **options: Any) -> Cell:
    return Cell(Config(strategy=STRATEGIES[strategy](), dataset=Synthetic(), workers=workers, **options))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An idle machine of 8 CPUs with nothing to find fault with."""
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
    assert machine_findings() == ["other processes keep 1.2 CPUs of this machine busy"]


def test_governors_are_found(root: Path) -> None:
    for cpu, governor in enumerate(["performance", "schedutil", "powersave", "powersave"]):
        put(root, f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", governor)
    (found,) = machine_findings()
    assert found.startswith("CPU frequency governor powersave, schedutil: ")


def test_fewer_cpus_than_the_machine_has_are_found(root: Path) -> None:
    put(root, "proc/self/cgroup", "0::/box")
    put(root, "sys/fs/cgroup/box/cpu.max", "150000 100000")
    assert machine_findings() == ["affinity or a cgroup quota leaves 2 of the machine's 8 CPUs"]


def test_a_low_limit_of_open_files_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (64, 4096))
    assert machine_findings() == ["only 64 open files are allowed (ulimit -n): too few for many workers"]


def test_missing_or_tiny_shared_memory_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=8192))
    assert machine_findings() == ["/dev/shm has 8 KiB left: multiprocessing keeps its locks there"]
    os.rmdir(root / "dev/shm")
    assert machine_findings() == ["/dev/shm cannot be written: multiprocessing keeps its locks there"]


def test_oversubscription_and_threads_are_found(root: Path) -> None:
    assert setting_findings(cell(workers=8)) == []
    assert setting_findings(cell(workers=9)) == ["oversubscribed: workers=9 on 8 usable CPUs"]
    oversubscribed, forked = setting_findings(cell(workers=4, runtime=Runtime(opencv_threads=None)))
    assert oversubscribed == "oversubscribed: workers=4 with 8 OpenCV threads each on 8 usable CPUs"
    assert forked == "a fork does not copy OpenCV's threads and may hang: runtime.start_method=spawn"
    assert setting_findings(cell(workers=4, runtime=Runtime(2, StartMethod.spawn))) == []
    assert setting_findings(cell("sequential", 1, runtime=Runtime(8))) == []


@pytest.mark.parametrize(
    ("strategy", "workers", "images"),
    [
        ("sequential", 1, 0),
        ("p2", 64, 0),
        # 10 in the master; a chunk is 1000 / 256, 4 tasks, at most 2 images, twice in 65 processes.
        ("p1", 64, 10 + 65 * 2 * 2),
        # 57 transform: 1000 / 228, 5 tasks, 2 images; and 1000 outputs wait.
        ("pq", 64, 10 + 58 * 2 * 2 + 1000),
    ],
)
def test_memory_is_that_of_the_processes_and_the_images_they_hold(
    strategy: str, workers: int, images: int
) -> None:
    processes = workers + 1 + (strategy == "pq")
    expected = processes * PROCESS_BYTES + (workers * WORKING_COPIES + images) * IMAGE
    assert STRATEGIES[strategy]().memory_bytes(workers, [IMAGE] * 10, 100) == expected


def test_memory_of_a_chunk_counts_each_image_once() -> None:
    p1 = STRATEGIES["p1"]()
    base = 3 * PROCESS_BYTES + 2 * WORKING_COPIES * 7
    assert p1.memory_bytes(2, [7, 5, 3], 1) == base + 15 + 3 * 2 * 1 * 7  # a task a chunk
    assert p1.memory_bytes(2, [7] * 80, 1) == base + 560 + 3 * 2 * 10 * 7  # 10 tasks of 10 images
    assert p1.memory_bytes(2, [7], 80) == base + 7 + 3 * 2 * 1 * 7  # 10 tasks of one image


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
    assert shortages(cell(strategy, 64, n_augmentations=100), PAPER, [".jpg"] * 10, root) == []


def test_shortages_name_what_is_needed_and_what_there_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need, have = Resources(30 * GIB, 3 * GIB, 152), Resources(20 * GIB, GIB // 2, 64)
    monkeypatch.setattr(preflight, "needed", lambda *_: need)
    monkeypatch.setattr(preflight, "available", lambda _: have)
    assert shortages(cell("p1", 64), PAPER, [".jpg"] * 10, root) == [
        "memory: p1 with 64 workers needs about 30 GiB, 20 GiB are available",
        f"disk: the outputs need up to 3 GiB, 0.5 GiB are free in {root}",
        "open files: p1 with 64 workers needs about 152, ulimit -n is 64",
    ]
    monkeypatch.setattr(preflight, "available", lambda _: need)
    assert shortages(cell("p1", 64), PAPER, [".jpg"] * 10, root) == []


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


def test_memory_grows_with_the_requested_chunk() -> None:
    """100 images of 6 MB, one augmentation each: a chunk of 50 holds 50 images, twice in the master and in
    one of the workers; four workers cannot have more than the two chunks there are."""
    base = P1().memory_bytes(4, [IMAGE] * 100, 1)
    default = 5 * 2 * 7 * IMAGE  # 100 / 16 tasks, rounded up, and five processes
    assert P1(chunksize=50).memory_bytes(4, [IMAGE] * 100, 1) == base - default + 2 * 2 * 50 * IMAGE
