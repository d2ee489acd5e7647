"""What would spoil a sweep, or a cell of it, told before anything is measured: one line a finding.

Findings may be put up with and belong into the rows. Shortages compare an estimate of what a cell
needs, rather too high than too low, with what there is: a cell that is short of something will fail."""

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
from experiments.machine.limits import Resources, available, open_files_limit
from experiments.sweep.vetting import Vetted

OPENCV_BUILDS = (
    *("opencv-python", "opencv-contrib-python"),
    *("opencv-python-headless", "opencv-contrib-python-headless"),
)
LOAD_LIMIT, LOAD_S = 0.3, 0.3  # CPUs: the services of an idle system stay below, one busy process is above
OPEN_FILES_LOW = 256  # enough for 100 workers; systems give 1024
SHM_LOW_BYTES = 1 << 20  # a lock takes a page there, and a pool has three; containers give 64 MiB

# Measured on the study's pipeline with 2000x1000 and 2000x2000 pixels of noise.
PROCESS_BYTES = 75_000_000  # without images: 75 MB in a spawned process, 20 MB in a forked one
WORKING_COPIES = 16  # of its image in a worker: 12 on average, 28 at most (ISONoise in float32)
TASK_BYTES = 2500  # while the sweep makes its tables of a trial's tasks
CHANNELS = 3  # of a decoded image, a byte each
# The most that uniform noise took, rounded up: JPEG of quality 95 1.18, PNG 3.01, TIFF 4.05.
BYTES_PER_PIXEL, BYTES_PER_PIXEL_OTHER = {".jpg": 1.25, ".jpeg": 1.25, ".png": 3.1}, 4.1
BLOCK_BYTES = 4096  # what the last, half empty block of a file may waste
# Every strategy ran with 14 to 18 and 2 for each worker, forked or spawned: a process is two pipes,
# whose ends a forked worker inherits. The rest is room for libraries that open files.
OPEN_FILES, OPEN_FILES_PER_WORKER = 24, 2


def machine_findings() -> list[str]:
    """What would spoil every cell of a sweep. Takes LOAD_S seconds."""
    return [*_opencv(), *_processors(), *_limits()]


first_machine_findings = cache(machine_findings)  # of a process, whose own trials would be found later


def cell_findings(cell: Cell, images: Vetted) -> list[str]:
    """Return what may spoil a cell's times. Raises OptionError if it is short of something."""
    place = cell.config.output_place
    place.mkdir(parents=True, exist_ok=True)
    suffixes = [path.suffix for path in images.good]
    lacking = shortages(cell, images.sizes, suffixes, place)
    if lacking and cell.config.on_shortage is OnShortage.refuse:
        raise OptionError(f"{'; '.join(lacking)}; on_shortage=warn tries all the same")
    return [*setting_findings(cell), *lacking]


def setting_findings(cell: Cell) -> list[str]:
    """Return what the cell's own settings do to its times."""
    workers, runtime, cpus = cell.config.workers, cell.config.runtime, machine.usable_cpus()
    threads = runtime.opencv_threads or cpus
    findings = []
    if workers * threads > cpus and cell.config.strategy.on_this_machine:
        each = f" with {threads} OpenCV threads each" if threads > 1 else ""
        findings.append(f"oversubscribed: workers={workers}{each} on {cpus} usable CPUs")
    if workers > 1 and threads > 1 and runtime.start_method is StartMethod.fork:
        findings.append("a fork does not copy OpenCV's threads and may hang: runtime.start_method=spawn")
    return findings


def shortages(
    cell: Cell, sizes: Sequence[tuple[int, int]], suffixes: Sequence[str], place: Path
) -> list[str]:
    """What there is too little of for a cell whose images have these sizes (width, height in pixels)
    and suffixes, and whose outputs go to `place`."""
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
    """The estimate of what a cell needs."""
    config, pixels = cell.config, [width * height for width, height in sizes]
    memory_bytes = _memory_bytes(config, [CHANNELS * each for each in pixels])
    per_pixel = [BYTES_PER_PIXEL.get(suffix.lower(), BYTES_PER_PIXEL_OTHER) for suffix in suffixes]
    once = sum(int(each * rate) + BLOCK_BYTES for each, rate in zip(pixels, per_pixel, strict=True))
    # Outputs that are kept give way to those of the next repetition when these are complete.
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
        yield f"{' and '.join(installed)} are both installed: each overwrites files of the other; keep one"


def _processors() -> Iterator[str]:
    usable, cpus = machine.usable_cpus(), psutil.cpu_count() or 1
    busy = psutil.cpu_percent(LOAD_S) / 100 * cpus  # of others: this process sleeps meanwhile
    if busy > LOAD_LIMIT:
        yield f"other processes keep {busy:.1f} CPUs of this machine busy"
    paths = (machine.ROOT / machine.CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    if others := sorted({machine.read(path) for path in paths} - {"performance", ""}):
        yield f"CPU frequency governor {', '.join(others)}: the clock will vary; take performance"
    if usable < cpus:
        yield f"affinity or a cgroup quota leaves {usable} of the machine's {cpus} CPUs"


def _limits() -> Iterator[str]:
    if (limit := open_files_limit()) < OPEN_FILES_LOW:
        yield f"only {limit} open files are allowed (ulimit -n): too few for many workers"
    folder = machine.ROOT / "dev/shm"
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield "/dev/shm cannot be written: multiprocessing keeps its locks there"
    elif (free := shutil.disk_usage(folder).free) < SHM_LOW_BYTES:
        yield f"/dev/shm has {free // 1024} KiB left: multiprocessing keeps its locks there"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.3g} GiB"
