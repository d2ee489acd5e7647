"""The machine, as the study prints it and by its fingerprint, its load, and the code that runs on it."""

import hashlib
import json
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator, Set
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from experiments import ROOT as CHECKOUT

UNKNOWN = "unknown"
ROOT = Path("/")  # tests put a folder with the files of another machine in its place
CPUS = "sys/devices/system/cpu"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CACHES = ("L1d cache", "L1i cache", "L2 cache", "L3 cache")
HARDWARE = ("Model name", "Socket(s)", "Core(s) per socket", "CPU(s)", *CACHES, "NUMA node(s)")  # of `lscpu`


def command_s() -> float:
    """Return the seconds since this process began; psutil counts from whole seconds of the boot."""
    begin_ticks = int(read("proc/self/stat").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begin_ticks / TICKS_PER_S


def environment() -> dict[str, str]:
    """Return machine and software, label to text for people; first the study's table, from `lscpu`."""
    known = dict(re.findall(r"^ *([^:\n]+): +(.+)$", _printed("lscpu"), re.MULTILINE))
    release = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("etc/os-release"), re.MULTILINE)
    return {
        **{name: known.get(name, UNKNOWN) for name in (*HARDWARE, "CPU max MHz")},
        "hypervisor": known.get("Hypervisor vendor", "none" if known else UNKNOWN),
        "usable CPUs": str(usable_cpus()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.4g} GiB",
        "operating system": release[1] if release else UNKNOWN,
        "kernel": f"{platform.system()} {platform.release()}",
        "C library": " ".join(filter(None, platform.libc_ver())) or UNKNOWN,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "albumentations": version("albumentationsx", "albumentations"),  # either has that module
        "NumPy": version("numpy"),
        "OpenCV": version("opencv-python-headless"),
    }


def fingerprint(environment: dict[str, str]) -> str:
    """Return a name for the computer, like `intel-xeon-silver-4314-64cpus-0a1b2c3d`.

    It covers processor, usable CPUs, caches and NUMA nodes, but no host name, kernel, version or clock, and
    no memory size, which differs a little from boot to boot.
    """
    facts = [environment.get(label, UNKNOWN) for label in (*HARDWARE, "usable CPUs")]
    facts = [fact.partition(" (")[0] for fact in facts]  # newer versions add `(32 instances)`
    name = re.sub(r"\(\w+\)|@.*|\b(CPU|Processor|\d+-Core)\b", " ", facts[0])
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or UNKNOWN
    return f"{slug}-{facts[-1]}cpus-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]}"


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


def cpu_counters(cpus: Set[int]) -> dict[str, float]:
    """Return `busy_s`, `iowait_s` and `steal_s` of these CPUs since boot, in ticks of 10 ms, or nothing."""
    names = {f"cpu{number}" for number in cpus}
    lines = (line.split() for line in read("proc/stat").splitlines())
    ticks = [map(int, fields) for name, *fields in lines if name in names]
    if len(ticks) != len(names):  # a container may number its CPUs differently
        return {}
    seconds = (sum(counts) / TICKS_PER_S for counts in zip(*ticks, strict=True))
    user_s, nice_s, system_s, _, iowait_s, irq_s, softirq_s, steal_s, *_ = seconds  # guests are in user_s
    busy_s = user_s + nice_s + system_s + irq_s + softirq_s
    return {"busy_s": busy_s, "iowait_s": iowait_s, "steal_s": steal_s}


def load_columns(before: dict[str, float], after: dict[str, float], trial_cpu_s: float) -> dict[str, float]:
    """Return the columns of a trial that used `trial_cpu_s` between two readings of the counters."""
    columns = {name: max(0, after[name] - before[name]) for name in before}  # iowait_s may decrease
    if "busy_s" in columns:
        columns["others_cpu_s"] = max(0, columns.pop("busy_s") - trial_cpu_s)
    return columns


def file_system(place: Path) -> str:
    """Return type and mount point of a path's file system, like `ext4 /home`, or an address's bucket."""
    if not isinstance(place, Path):
        return "/".join(str(place).split("/")[:3])
    types = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    folders = map(str, (real := Path(os.path.realpath(place)), *real.parents))
    return next((f"{types[folder]} {folder}" for folder in folders if folder in types), UNKNOWN)


def read(path: str | Path) -> str:
    """Return the text of a file under ROOT without its last newline; empty if it cannot be read."""
    try:
        return (ROOT / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def git_commit() -> str | None:
    """Return the project's commit, `+dirty` if a tracked file is changed; None without git or repository."""
    here = "-C", str(CHECKOUT), "--git-dir=.git"  # and no repository around the project
    words = "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+dirty"
    return _printed("git", *here, *words) or None


def _printed(*command: str) -> str:
    """Return what a command prints, in English; nothing if it fails or is not installed."""
    english = os.environ | {"LC_ALL": "C"}
    try:
        answer = subprocess.run(command, env=english, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def version(*distributions: str) -> str:
    """Return the version of the first installed of these packages, or UNKNOWN."""
    for distribution in distributions:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(distribution)
    return UNKNOWN
