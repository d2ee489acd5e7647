"""The checks of machine and cell before a trial: findings may spoil its times, shortages make it fail."""

import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from math import ceil, inf
from pathlib import Path
from statistics import fmean

import psutil

from augment.filesystem import is_local
from augment.options import OptionError
from augment.runtime import StartMethod
from augment.temporary import PREFIX
from experiments.config.cell import Cell
from experiments.config.options import OnShortage
from experiments.machine import environment as machine
from experiments.store.columns import RECORDED_TASKS
from experiments.sweep.inputs import Inputs
from experiments.trial.measure import workload
from experiments.trial.process import waiting
from experiments.wording import significant

OPENCV_BUILDS = [f"opencv-{kind}python{end}" for kind in ("", "contrib-") for end in ("", "-headless")]
MEMORY, DISK, FILES, GIB = "GiB of memory", "GiB of disk", "open files", 2**30
IDLE_LOAD_CPUS = 0.3  # the services of an idle system stay below, one busy process is above
# To which the path of a socket is added, which has at most 107 (unix(7)).
LONGEST_TMPDIR_BYTES = 107 - len(f"/{PREFIX}12345678/pymp-12345678/listener-12345678")
LOAD_SAMPLE_S = 0.3

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


def machine_findings() -> Iterator[str]:
    """Yield what may spoil the times of every cell; takes LOAD_SAMPLE_S seconds at most."""
    installed = [name for name in OPENCV_BUILDS if any(metadata.distributions(name=name))]
    if len(installed) > 1:
        yield f"{' and '.join(installed)} are both installed and overwrite each other's files; uninstall one"
    usable, cpus = machine.usable_cpus(), psutil.cpu_count() or 1
    if (others := _others_cpus()) > IDLE_LOAD_CPUS:
        yield f"other processes keep {others:.1f} CPUs of this machine busy; stop them"
    paths = (machine.ROOT / machine.CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    if governors := sorted({machine.read(path) for path in paths} - {"performance", ""}):
        yield f"CPU frequency governor {', '.join(governors)}: the clock will vary; choose performance"
    if usable < cpus:
        yield f"affinity or a cgroup quota leaves {usable} of the machine's {cpus} CPUs"
    if not shutil.which("lscpu"):
        yield "lscpu is missing, which tells machines apart; install util-linux"


# Once, because later this process's own trials would be findings.
first_machine_findings = cache(lambda: [*machine_findings()])


def _others_load() -> tuple[float, float]:
    """Return the clock, and the CPU seconds so far of the whole machine but for this command."""
    of_all = psutil.cpu_times()  # of all CPUs, whose numbers may have gaps
    busy_s = of_all.user + of_all.nice + of_all.system + of_all.irq + of_all.softirq
    own_s = sum(os.times()[:4]) + sum(each.cpu_s for each in waiting)  # with ended children
    return time.monotonic(), busy_s - own_s


begin_load_sample = cache(_others_load)  # a command's own checks take long enough for a sample


def _others_cpus() -> float:
    """Return how many CPUs other processes have kept busy since the sample began, LOAD_SAMPLE_S at least."""
    begin_s, begin_cpu_s = begin_load_sample()
    time.sleep(max(0.0, begin_s + LOAD_SAMPLE_S - time.monotonic()))
    end_s, end_cpu_s = _others_load()
    return max(0.0, end_cpu_s - begin_cpu_s) / (end_s - begin_s)


def cell_findings(cell: Cell, images: Inputs, n_done: int = 0) -> list[str]:
    """Return what may spoil a cell's times; `n_done` outputs exist. Raises OptionError for a shortage."""
    cell.config.output_place.mkdir(parents=True, exist_ok=True)
    check_socket(cell.config.runtime.start_method)
    lacking = shortages(cell, images, n_done)
    if lacking and cell.config.on_shortage is OnShortage.refuse:
        raise OptionError(f"{'; '.join(lacking)}; give less work or on_shortage=warn")
    return [*images.files.findings, *setting_findings(cell), *lacking]


def check_socket(start_method: StartMethod) -> None:
    """Raise OptionError if the path of the forkserver's socket would be too long."""
    folder = tempfile.gettempdir()
    if start_method is StartMethod.forkserver and len(os.fsencode(folder)) > LONGEST_TMPDIR_BYTES:
        reason = f"TMPDIR={folder} is too long for a socket; give at most {LONGEST_TMPDIR_BYTES} bytes"
        raise OptionError(f"runtime.start_method=forkserver: {reason}")


def setting_findings(cell: Cell) -> Iterator[str]:
    """Yield what in the cell's settings may spoil its times."""
    workers, runtime, cpus = cell.config.workers, cell.config.runtime, machine.usable_cpus()
    threads = runtime.opencv_threads or cpus
    if workers * threads > cpus and cell.config.strategy.on_this_machine:
        opencv = f" with {threads} OpenCV threads each" if threads > 1 else ""
        yield f"oversubscribed: workers={workers}{opencv} on {cpus} usable CPUs"
    if workers > 1 and threads > 1 and runtime.start_method is StartMethod.fork:
        yield "a fork does not copy OpenCV's threads and may hang; give runtime.start_method=spawn"


def shortages(cell: Cell, images: Inputs, n_done: int = 0) -> list[str]:
    """Return a line for each resource of which a cell needs more than is available."""
    place, who = cell.config.output_place, f"{cell.strategy} with {cell.config.workers} workers"
    need, have = needed(cell, images, n_done), available(place)
    return [
        f"{who} needs about {_amount(name, amount)} {name}, {_amount(name, have[name])} are available"
        + (f" in {place}" if name == DISK else "")
        for name, amount in need.items()
        if amount > have[name]
    ]


def _amount(name: str, amount: float) -> str:
    return f"{amount:,.0f}" if name == FILES else significant(amount)


def needed(cell: Cell, images: Inputs, n_done: int = 0) -> dict[str, float]:
    """Return how much of each resource a cell needs at most; threads count as processes."""
    config, strategy = cell.config, cell.config.strategy
    n_images, is_exact = len(images.files), strategy.sends_pixels or strategy.queues_outputs
    largest, total = images.pixels(exact=is_exact, most=config.max_image_pixels)
    decoded_bytes, largest_bytes = CHANNELS * total, CHANNELS * largest
    n_tasks = workload(cell, images.files).n_tasks
    per_image = ceil(n_tasks / n_images)
    sets = config.workers if strategy.instrument else 1  # each worker of an instrument does all tasks
    workers = config.workers if strategy.on_this_machine else 0
    processes = workers + 1 + strategy.queues_outputs
    is_recorded = config.trace and not (config.output_dir and n_tasks > RECORDED_TASKS)
    recorded = sets * n_tasks if is_recorded else 0
    memory_bytes = processes * PROCESS_BYTES + recorded * TASK_BYTES
    memory_bytes += workers * (WORKING_COPIES * largest_bytes + strategy.bytes_per_worker)
    if strategy.sends_pixels:
        # Beside the master's images, those of every process's chunk of tasks, twice: as a message and as
        # arrays. Chunks may hold all images, and four at their ends once more.
        memory_bytes += 3 * decoded_bytes + 4 * processes * largest_bytes
    if strategy.queues_outputs:
        memory_bytes += per_image * decoded_bytes
    names = [f".{config.output_format}"] if config.output_format else images.files.names
    rate = fmean(BYTES_PER_PIXEL[name.lower().endswith(COMPACT)] for name in names)
    output_bytes = total / n_images * rate + BLOCK_BYTES
    disk_bytes = (sets * n_tasks - n_done) * output_bytes if config.saving else 0
    files = OPEN_FILES + 2 * config.workers
    return {MEMORY: memory_bytes / GIB, DISK: disk_bytes / GIB, FILES: files}


def available(place: Path) -> dict[str, float]:
    """Return what is available now; the disk is that of a folder, endless if `place` is an address."""
    memory_bytes = min([psutil.virtual_memory().available, *_memory_headrooms()])
    disk_bytes = shutil.disk_usage(place).free if is_local(place) else inf
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {MEMORY: memory_bytes / GIB, DISK: disk_bytes / GIB, FILES: inf if files < 0 else files}


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
