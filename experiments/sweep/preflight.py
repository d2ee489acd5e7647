"""The checks of machine and cell before a trial: findings may spoil its times, shortages make it fail."""

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from math import ceil
from pathlib import Path

import psutil

from augment.options import OptionError
from augment.runtime import StartMethod
from experiments.config.cell import Cell
from experiments.config.options import Config, OnShortage
from experiments.machine import environment as machine
from experiments.machine.limits import Resources, available
from experiments.sweep.vetting import Vetted

OPENCV_BUILDS = (
    *("opencv-python", "opencv-contrib-python"),
    *("opencv-python-headless", "opencv-contrib-python-headless"),
)
IDLE_LOAD_CPUS = 0.3  # the services of an idle system stay below, one busy process is above
LOAD_SAMPLE_S = 0.3
ENOUGH_SHM_BYTES = 1 << 20  # a lock takes a page, and a pool has three locks; containers give 64 MiB

# Measured on the study's pipeline with 2000x1000 and 2000x2000 pixels of noise.
PROCESS_BYTES = 75_000_000  # without images: 75 MB in a spawned process, 20 MB in a forked one
WORKING_COPIES = 16  # of its image in a worker: 12 on average, 28 at most (ISONoise in float32)
TASK_BYTES = 2500  # while the sweep makes its tables of a trial's tasks
CHANNELS = 3  # of a decoded image, a byte each
# The most that uniform noise took, rounded up: JPEG of quality 95 1.18, PNG 3.01, TIFF 4.05.
BYTES_PER_PIXEL, BYTES_PER_PIXEL_OTHER = {".jpg": 1.25, ".jpeg": 1.25, ".png": 3.1}, 4.1
BLOCK_BYTES = 4096  # a file's last block is partly empty
# Every strategy ran with 14 to 18 files and 2 for each worker, forked or spawned: a process has two pipes,
# whose ends a forked worker inherits. The rest is for libraries that open files.
OPEN_FILES, OPEN_FILES_PER_WORKER = 24, 2


def machine_findings() -> list[str]:
    """Return what may spoil the times of every cell; takes LOAD_SAMPLE_S seconds."""
    return [*_opencv(), *_processors(), *_shared_memory()]


first_machine_findings = cache(machine_findings)  # later this process's own trials would be findings


def cell_findings(cell: Cell, images: Vetted) -> list[str]:
    """Return what may spoil a cell's times. Raises OptionError if it is short of something."""
    place = cell.config.output_place
    place.mkdir(parents=True, exist_ok=True)
    suffixes = [path.suffix for path in images.good]
    lacking = shortages(cell, images.sizes, suffixes, place)
    if lacking and cell.config.on_shortage is OnShortage.refuse:
        raise OptionError(f"{'; '.join(lacking)}; give less work or on_shortage=warn")
    return [*setting_findings(cell), *lacking]


def setting_findings(cell: Cell) -> list[str]:
    """Return what in the cell's settings may spoil its times."""
    workers, runtime, cpus = cell.config.workers, cell.config.runtime, machine.usable_cpus()
    threads = runtime.opencv_threads or cpus
    findings = []
    if workers * threads > cpus and cell.config.strategy.on_this_machine:
        opencv = f" with {threads} OpenCV threads each" if threads > 1 else ""
        findings.append(f"oversubscribed: workers={workers}{opencv} on {cpus} usable CPUs")
    if workers > 1 and threads > 1 and runtime.start_method is StartMethod.fork:
        findings.append("a fork does not copy OpenCV's threads and may hang; give runtime.start_method=spawn")
    return findings


def shortages(
    cell: Cell, sizes: Sequence[tuple[int, int]], suffixes: Sequence[str], place: Path
) -> list[str]:
    """Return a line for each resource of which a cell needs more than is available.

    `sizes` (width, height in pixels) and `suffixes` are those of its images; its outputs go to `place`.
    """
    need, have = needed(cell, sizes, suffixes), available(place)
    workers = f"{cell.strategy} with {cell.config.workers} workers"
    memory = f"{_gib(need.memory_bytes)}, {_gib(have.memory_bytes)} are available"
    disk = f"{_gib(need.disk_bytes)}, {_gib(have.disk_bytes)} are free in {place}"
    lines = {
        "memory_bytes": f"memory: {workers} needs about {memory}",
        "disk_bytes": f"disk: the outputs need up to {disk}",
        "open_files": f"open files: {workers} needs about {need.open_files}, ulimit -n is {have.open_files}",
    }
    return [line for name, line in lines.items() if getattr(need, name) > getattr(have, name)]


def needed(cell: Cell, sizes: Sequence[tuple[int, int]], suffixes: Sequence[str]) -> Resources:
    """Return a conservative estimate of the resources that a cell needs."""
    config, pixels = cell.config, [width * height for width, height in sizes]
    memory_bytes = _memory_bytes(config, [CHANNELS * count for count in pixels])
    per_pixel = [BYTES_PER_PIXEL.get(suffix.lower(), BYTES_PER_PIXEL_OTHER) for suffix in suffixes]
    once = sum(int(count * rate) + BLOCK_BYTES for count, rate in zip(pixels, per_pixel, strict=True))
    # Kept outputs are replaced only when those of the next repetition are complete.
    sets = min(2, config.repetitions) if config.output_dir else 1
    sets += config.workers - 1 if config.strategy.instrument else 0
    disk_bytes = sets * config.n_augmentations * once if config.saving else 0
    return Resources(memory_bytes, disk_bytes, OPEN_FILES + OPEN_FILES_PER_WORKER * config.workers)


def _memory_bytes(config: Config, image_bytes: Sequence[int]) -> int:
    """Return what a trial's processes and the sweep's tables of its tasks hold together, at most.

    `image_bytes` are those of the decoded images; outputs are as large. Threads count as processes.
    """
    strategy, n_images, largest = config.strategy, len(image_bytes), max(image_bytes)
    workers = config.workers if strategy.on_this_machine else 0
    processes = workers + 1 + strategy.queues_outputs
    memory_bytes = processes * PROCESS_BYTES + workers * (
        WORKING_COPIES * largest + strategy.bytes_per_worker
    )
    if strategy.sends_pixels:
        # Each process has one chunk of tasks in hand, twice: as a message and as arrays. A chunk of k tasks
        # has at most 2 + k / n_augmentations images. Pool's default is a quarter of a worker's share of the
        # tasks, so that one such chunk for each process, twice, has 4 * processes + n_images at most.
        chunksize = getattr(strategy, "chunksize", None)
        sent = 2 * processes * ceil(chunksize / config.n_augmentations) if chunksize else n_images
        memory_bytes += sum(image_bytes) + (4 * processes + sent) * largest
    if strategy.queues_outputs:
        memory_bytes += config.n_augmentations * sum(image_bytes)
    sets = config.workers if strategy.instrument else 1  # each worker of an instrument does all tasks
    return memory_bytes + sets * n_images * config.n_augmentations * TASK_BYTES


def _opencv() -> Iterator[str]:
    installed = [name for name in OPENCV_BUILDS if any(metadata.distributions(name=name))]
    if len(installed) > 1:
        yield f"{' and '.join(installed)} are both installed and overwrite each other's files; uninstall one"


def _processors() -> Iterator[str]:
    usable, cpus = machine.usable_cpus(), psutil.cpu_count() or 1
    others = psutil.cpu_percent(LOAD_SAMPLE_S) / 100 * cpus  # this process sleeps meanwhile
    if others > IDLE_LOAD_CPUS:
        yield f"other processes keep {others:.1f} CPUs of this machine busy; stop them"
    paths = (machine.ROOT / machine.CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    if governors := sorted({machine.read(path) for path in paths} - {"performance", ""}):
        yield f"CPU frequency governor {', '.join(governors)}: the clock will vary; choose performance"
    if usable < cpus:
        yield f"affinity or a cgroup quota leaves {usable} of the machine's {cpus} CPUs"


def _shared_memory() -> Iterator[str]:
    folder = machine.ROOT / "dev/shm"
    if not os.access(folder, os.W_OK):
        yield "/dev/shm, where multiprocessing keeps its locks, cannot be written; make it writable"
    elif (free := shutil.disk_usage(folder).free) < ENOUGH_SHM_BYTES:
        yield f"/dev/shm, where multiprocessing keeps its locks, has {free // 1024} KiB left; empty it"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.3g} GiB"
