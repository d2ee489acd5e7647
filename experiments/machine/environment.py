"""The machine, as the study prints it and by its fingerprint, and the code that runs on it."""

import hashlib
import json
import math
import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from experiments import ROOT as CHECKOUT

UNKNOWN = "unknown"
ALBUMENTATIONS = ("albumentationsx", "albumentations")  # both have the module `albumentations`
ROOT = Path("/")  # tests put a folder with the files of another machine in its place
CPUS = "sys/devices/system/cpu"

CACHES = {("1", "Data"): "L1d", ("1", "Instruction"): "L1i", ("2", "Unified"): "L2", ("3", "Unified"): "L3"}
HARDWARE = ("CPU", "sockets", "physical cores", "logical CPUs", "usable CPUs", *CACHES.values(), "NUMA nodes")


def environment() -> dict[str, str]:
    """Return machine and software, label to text for people, in the order of the study's table."""
    return {**_processor(), **_caches(), **_system(), **_libraries()}


def fingerprint(environment: dict[str, str]) -> str:
    """Return a name for the computer, like `intel-xeon-silver-4314-64cpus-0a1b2c3d`.

    It covers processor, usable CPUs, caches and NUMA nodes, but no host name, kernel, version or clock, and
    no memory size, which differs a little from boot to boot.
    """
    facts = json.dumps([environment.get(label, UNKNOWN) for label in HARDWARE])
    name = re.sub(r"\(\w+\)|@.*|\b(CPU|Processor|\d+-Core)\b", " ", environment.get("CPU", UNKNOWN))
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or UNKNOWN
    cpus = environment.get("usable CPUs", UNKNOWN)
    return f"{slug}-{cpus}cpus-{hashlib.sha256(facts.encode()).hexdigest()[:8]}"


@cache
def machine_columns() -> dict[str, Any]:
    """Return the columns of a trial that identify machine and commit, as this process first saw them."""
    described = environment()
    return {
        "machine": fingerprint(described),
        "environment": json.dumps(described),
        "node": os.environ.get("SLURMD_NODENAME"),
        "usable_cpus": usable_cpus(),
        "git_commit": git_commit(),
    }


def usable_cpus() -> int:
    """Return the CPUs that affinity and cgroup quotas (rounded up) leave to this process; at least 1."""
    # Not `loky.cpu_count`, which ignores the quotas of nested cgroups.
    return max(1, min([len(os.sched_getaffinity(0)), *map(math.ceil, quotas())]))


def cgroups(controller: str) -> Iterator[Path]:
    """Yield the folders (v1 and v2) of the cgroup of this process and of those above it."""
    base = ROOT / "sys/fs/cgroup"
    for line in read("proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)  # `0::/a/b` in v2, `4:cpu,cpuacct:/a/b` in v1
        if not controllers or controller in controllers.split(","):
            mounts = [base / controllers, base / controller] if controllers else [base, base / "unified"]
            for mount in mounts:
                # Inside a container the path may be the host's; `read` returns nothing for a missing file.
                inner = mount / group.lstrip("/")
                yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(mount))


def quotas() -> Iterator[float]:
    """Yield the number of CPUs that each cgroup around this process may use."""
    for folder in cgroups("cpu"):
        in_v1 = " ".join(read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        quota, _, period = (read(folder / "cpu.max") or in_v1).partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):  # `max` and -1 mean no limit
            yield int(quota) / int(period)


def _processor() -> dict[str, str]:
    # One line per fact and CPU: `model name : …`. ARM kernels name no model.
    info = dict(re.findall(r"^([^:\n]+?)\s*: (.+)$", read("proc/cpuinfo"), re.MULTILINE))
    cpus = list((ROOT / CPUS).glob("cpu[0-9]*"))
    sockets = {read(cpu / "topology/physical_package_id") for cpu in cpus} - {""}
    cores = {read(cpu / "topology/thread_siblings_list") for cpu in cpus} - {""}
    is_virtual = "yes" if "hypervisor" in info.get("flags", "").split() else "no"
    return {
        "CPU": info.get("model name", platform.machine() or UNKNOWN),
        "sockets": str(len(sockets) or UNKNOWN),
        "physical cores": str(len(cores) or UNKNOWN),
        "logical CPUs": str(len(cpus) or os.cpu_count() or UNKNOWN),
        "usable CPUs": str(usable_cpus()),
        "clock": _clock(info),
        "virtual machine": is_virtual if "flags" in info else UNKNOWN,
    }


def _clock(info: dict[str, str]) -> str:
    """Return nominal and highest clock as the study writes them, `2.40 (3.40) GHz`, or the present one."""
    folder = ROOT / CPUS / "cpu0/cpufreq"
    base, highest = read(folder / "base_frequency"), read(folder / "cpuinfo_max_freq")  # kHz
    nominal = re.search(r"@ ([\d.]+)GHz", info.get("model name", ""))
    ghz = f"{int(base) / 1e6:.2f} " if base.isdigit() else f"{float(nominal[1]):.2f} " if nominal else ""
    top = f"({int(highest) / 1e6:.2f}) " if highest.isdigit() else ""
    if ghz or top:
        return f"{ghz}{top}GHz"
    return f"{float(info['cpu MHz']) / 1e3:.2f} GHz when read" if "cpu MHz" in info else UNKNOWN


def _caches() -> dict[str, str]:
    """Return size times number of each kind of cache, like `1.25 MiB x 32`."""
    names = ("level", "type", "shared_cpu_list", "size")
    folders = (ROOT / CPUS).glob("cpu[0-9]*/cache/index*")
    caches = sorted({tuple(read(folder / name) for name in names) for folder in folders})
    counts = {
        label: Counter(size for *kind, _, size in caches if tuple(kind) == wanted)
        for wanted, label in CACHES.items()
    }
    return {
        label: " + ".join(f"{_size(size)} x {count}" for size, count in sizes.items()) or UNKNOWN
        for label, sizes in counts.items()
    }


def _system() -> dict[str, str]:
    total = re.search(r"MemTotal:\s+(\d+) kB", read("proc/meminfo"))
    release = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("etc/os-release"), re.MULTILINE)
    return {
        "NUMA nodes": str(len(list((ROOT / "sys/devices/system/node").glob("node[0-9]*"))) or UNKNOWN),
        "memory": _size(f"{total[1]}K") if total else UNKNOWN,
        "operating system": release[1] if release else UNKNOWN,
        "kernel": f"{platform.system()} {platform.release()}",
        "C library": " ".join(filter(None, platform.libc_ver())) or UNKNOWN,
    }


def _libraries() -> dict[str, str]:
    packages = {"NumPy": "numpy", "OpenCV": "opencv-python-headless"}
    packages |= {"Hydra": "hydra-core", "pandas": "pandas", "PyArrow": "pyarrow"}
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = {label: version(name) for label, name in packages.items()}
    return {"Python": python, "albumentations": version(*ALBUMENTATIONS)} | versions


def _size(text: str) -> str:
    """Return a size like `1280K` as `1.25 MiB`."""
    if not re.fullmatch(r"\d+[KMG]", text):
        return text or UNKNOWN
    kib = int(text[:-1]) * {"K": 1, "M": 1024, "G": 1024**2}[text[-1]]
    for unit, unit_kib in (("GiB", 1024**2), ("MiB", 1024)):
        if kib >= unit_kib:
            return f"{kib / unit_kib:.4g} {unit}"
    return f"{kib} KiB"


def file_system(place: Path) -> str:
    """Return type and mount point of a path's file system, like `ext4 /home`, or an address's bucket."""
    if not isinstance(place, Path):
        return "/".join(str(place).split("/")[:3])
    types = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    folders = map(str, (place.resolve(), *place.resolve().parents))
    return next((f"{types[folder]} {folder}" for folder in folders if folder in types), UNKNOWN)


def read(path: str | Path) -> str:
    """Return the text of a file under ROOT without its last newline; empty if it cannot be read."""
    try:
        return (ROOT / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def git_commit() -> str | None:
    """Return the project's commit, `+dirty` if a tracked file is changed; None without git or repository."""
    if not (CHECKOUT / ".git").exists():  # else git would answer for a repository around the project
        return None
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+dirty"]
    try:
        answer = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=2)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def version(*distributions: str) -> str:
    """Return the version of the first installed of these packages, or UNKNOWN."""
    for distribution in distributions:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(distribution)
    return UNKNOWN
