"""The checks of machine and cell before a trial: findings may spoil its times, shortages make it fail."""

import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from math import ceil
from pathlib import Path
from statistics import fmean

import psutil

from augment.options import OptionError
from augment.runtime import StartMethod
from experiments.config.cell import Cell
from experiments.config.options import OnShortage
from experiments.machine import disturbance
from experiments.machine import environment as machine
from experiments.store.columns import RECORDED_TASKS
from experiments.sweep.inputs import Inputs
from experiments.trial.process import waiting

OPENCV_BUILDS = [f"opencv-{kind}python{end}" for kind in ("", "contrib-") for end in ("", "-headless")]
IDLE_LOAD_CPUS = 0.3  # the services of an idle system stay below, one busy process is above
LOAD_SAMPLE_S = 0.3
ENOUGH_SHM_BYTES = 1 << 20  # a lock takes a page, and a pool has three locks; containers give 64 MiB

# Measured on the study's pipeline with 2000x1000 and 2000x2000 pixels of noise.
PROCESS_BYTES = 75_000_000  # without images: 75 MB in a spawned process, 20 MB in a forked one
WORKING_COPIES = 16  # of its image in a worker: 12 on average, 28 at most (ISONoise in float32)
TASK_BYTES = 2500  # while the sweep makes its tables of a trial's tasks
CHANNELS = 3  # of a decoded image, a byte each
COMPACT = (".jpg", ".jpeg", ".webp", ".avif", ".jp2")
# Uniform noise took 1.18 as JPEG of quality 95, and 3.01 as PNG.
BYTES_PER_PIXEL = {True: 1.25, False: 3.1}
BLOCK_BYTES = 4096  # a file's last block is partly empty
# Every strategy ran with 14 to 18 files and 2 for each worker, whose pipes have two ends.
OPEN_FILES = 24


def machine_findings() -> list[str]:
    """Return what may spoil the times of every cell; takes LOAD_SAMPLE_S seconds at most."""
    findings = []
    installed = [name for name in OPENCV_BUILDS if any(metadata.distributions(name=name))]
    if len(installed) > 1:
        both = " and ".join(installed)
        findings.append(f"{both} are both installed and overwrite each other's files; uninstall one")
    usable, cpus = machine.usable_cpus(), psutil.cpu_count() or 1
    others = _others_cpus()
    if others > IDLE_LOAD_CPUS:
        findings.append(f"other processes keep {others:.1f} CPUs of this machine busy; stop them")
    paths = (machine.ROOT / machine.CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    if governors := sorted({machine.read(path) for path in paths} - {"performance", ""}):
        names = ", ".join(governors)
        findings.append(f"CPU frequency governor {names}: the clock will vary; choose performance")
    if usable < cpus:
        findings.append(f"affinity or a cgroup quota leaves {usable} of the machine's {cpus} CPUs")
    folder = machine.ROOT / "dev/shm"
    if not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < ENOUGH_SHM_BYTES:
        findings.append("/dev/shm is full or cannot be written; multiprocessing keeps its locks there")
    return findings


first_machine_findings = cache(machine_findings)  # later this process's own trials would be findings


@cache
def begin_load_sample() -> tuple[float, float]:
    """Begin to count what other processes use; a command's own checks take long enough for a sample."""
    return _others_load()


def _others_load() -> tuple[float, float]:
    """Return the clock, and the CPU seconds so far of the whole machine but for this command."""
    busy_s = disturbance.cpu_counters({*range(psutil.cpu_count() or 1)}).get("busy_s", 0.0)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_s = time.process_time() + children.ru_utime + children.ru_stime + waiting.cpu_s
    return time.monotonic(), busy_s - own_s


def _others_cpus() -> float:
    """Return how many CPUs other processes have kept busy since the sample began, LOAD_SAMPLE_S at least."""
    begin_s, begin_cpu_s = begin_load_sample()
    time.sleep(max(0.0, begin_s + LOAD_SAMPLE_S - time.monotonic()))
    end_s, end_cpu_s = _others_load()
    return max(0.0, end_cpu_s - begin_cpu_s) / (end_s - begin_s)


def cell_findings(cell: Cell, images: Inputs, n_done: int = 0) -> list[str]:
    """Return what may spoil a cell's times, of which `n_done` outputs exist.

    Raises OptionError if it is short of something.
    """
    cell.config.output_place.mkdir(parents=True, exist_ok=True)
    lacking = shortages(cell, images, n_done)
    if lacking and cell.config.on_shortage is OnShortage.refuse:
        raise OptionError(f"{'; '.join(lacking)}; give less work or on_shortage=warn")
    return [*images.files.findings, *setting_findings(cell), *lacking]


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


def shortages(cell: Cell, images: Inputs, n_done: int = 0) -> list[str]:
    """Return a line for memory, disk and open files if a cell needs more than is available."""
    place, workers = cell.config.output_place, f"{cell.strategy} with {cell.config.workers} workers"
    (memory_bytes, disk_bytes), (available_bytes, free_bytes) = needed(cell, images, n_done), available(place)
    lines = []
    files, limit = OPEN_FILES + 2 * cell.config.workers, resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and files > limit:
        lines.append(f"open files: {workers} needs about {files}, ulimit -n is {limit}")
    if memory_bytes > available_bytes:
        memory = f"{_gib(memory_bytes)}, {_gib(available_bytes)} are available"
        lines.append(f"memory: {workers} needs about {memory}")
    if disk_bytes > free_bytes:
        disk = f"{_gib(disk_bytes)}, {_gib(free_bytes)} are free in {place}"
        lines.append(f"disk: the outputs need up to {disk}")
    return lines


def needed(cell: Cell, images: Inputs, n_done: int = 0) -> tuple[int, int]:
    """Return the bytes of memory and disk that a cell needs at most; threads count as processes."""
    config, strategy = cell.config, cell.config.strategy
    n_images, is_exact = len(images.files), strategy.sends_pixels or strategy.queues_outputs
    largest, total = images.pixels(exact=is_exact, most=config.max_image_pixels)
    decoded_bytes, largest_bytes = CHANNELS * total, CHANNELS * largest
    n_tasks = config.n_tasks(n_images)
    per_image = ceil(n_tasks / n_images)
    sets = config.workers if strategy.instrument else 1  # each worker of an instrument does all tasks
    workers = config.workers if strategy.on_this_machine else 0
    processes = workers + 1 + strategy.queues_outputs
    recorded = 0 if config.output_dir and n_tasks > RECORDED_TASKS else sets * n_tasks
    memory_bytes = processes * PROCESS_BYTES + recorded * TASK_BYTES
    memory_bytes += workers * (WORKING_COPIES * largest_bytes + strategy.bytes_per_worker)
    if strategy.sends_pixels:
        # Beside the master's images, those of every process's chunk of tasks, twice: as a message and as
        # arrays. By default a chunk is a quarter of a worker's share; of another size, chunks may hold all.
        copies = 3 if getattr(strategy, "chunksize", None) else 2
        memory_bytes += copies * decoded_bytes + 4 * processes * largest_bytes
    if strategy.queues_outputs:
        memory_bytes += per_image * decoded_bytes
    names = [f".{config.output_format}"] if config.output_format else images.files.names
    rate = fmean(BYTES_PER_PIXEL[name.lower().endswith(COMPACT)] for name in names)
    output_bytes = total / n_images * rate + BLOCK_BYTES
    return memory_bytes, ceil((sets * n_tasks - n_done) * output_bytes) if config.saving else 0


def available(place: Path) -> tuple[int, int]:
    """Return the bytes of memory and disk available now: the disk is that of `place`, if it has one."""
    memory_bytes = min([psutil.virtual_memory().available, *_memory_headrooms()])
    if not isinstance(place, Path):
        return memory_bytes, sys.maxsize
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    return memory_bytes, shutil.disk_usage(existing).free


def _memory_headrooms() -> Iterator[int]:
    """Yield the bytes that the memory limit of each cgroup around this process leaves."""
    for folder in machine.cgroups("memory"):
        limit = machine.read(folder / "memory.max") or machine.read(folder / "memory.limit_in_bytes")
        used = machine.read(folder / "memory.current") or machine.read(folder / "memory.usage_in_bytes")
        if limit.isdigit() and used.isdigit():  # `max` means no limit
            # Cached files count as free: the kernel drops them before it kills a process.
            counts = machine.read(folder / "memory.stat")
            cached = re.findall(r"^(?:total_)?inactive_file (\d+)", counts, re.MULTILINE)
            yield int(limit) - int(used) + max(map(int, cached), default=0)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.3g} GiB"
