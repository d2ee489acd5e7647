"""The experimental environment, as the study prints it, and what the machine is known by.

Read from /proc and /sys; what a container hides is `unknown`. Imports none of the libraries it names.
"""

import hashlib
import json
import math
import os
import platform
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from experiments.host.provenance import UNKNOWN, version

ROOT = Path("/")  # tests put another machine's files here

CACHES = {("1", "Data"): "L1d", ("1", "Instruction"): "L1i", ("2", "Unified"): "L2", ("3", "Unified"): "L3"}
HARDWARE = ("CPU", "sockets", "physical cores", "logical CPUs", "usable CPUs", *CACHES.values(), "NUMA nodes")


def environment() -> dict[str, str]:
    """What the machine and its software are, label to text for people, in the order of the study's table."""
    return {**_processor(), **_caches(), **_system(), **_libraries()}


def fingerprint(environment: dict[str, str]) -> str:
    """A name for the computer, like `intel-xeon-silver-4314-64cpus-0a1b2c3d`.

    It covers processor, usable CPUs, caches and NUMA nodes: neither host name, kernel, versions nor clock,
    and no memory size, which differs by a little from boot to boot.
    """
    facts = json.dumps([environment.get(label, UNKNOWN) for label in HARDWARE])
    name = re.sub(r"\(\w+\)|@.*|\b(CPU|Processor|\d+-Core)\b", " ", environment.get("CPU", UNKNOWN))
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or UNKNOWN
    cpus = environment.get("usable CPUs", UNKNOWN)
    return f"{slug}-{cpus}cpus-{hashlib.sha256(facts.encode()).hexdigest()[:8]}"


def usable_cpus() -> int:
    """CPUs that affinity and the cgroup's quota (v1 or v2, rounded up) leave to this process; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(math.ceil(quota) for quota in _quotas())]))


def _processor() -> dict[str, str]:
    # One line per fact and CPU: `model name : …`. ARM kernels name no model here.
    info = dict(re.findall(r"^([^:\n]+?)\s*: (.+)$", _read("proc/cpuinfo"), re.MULTILINE))
    topology = [cpu / "topology" for cpu in _cpus()]
    sockets = {_read(folder / "physical_package_id") for folder in topology} - {""}
    cores = {_siblings(folder) for folder in topology} - {""}
    return {
        "CPU": info.get("model name", platform.machine() or UNKNOWN),
        "sockets": str(len(sockets) or UNKNOWN),
        "physical cores": str(len(cores) or UNKNOWN),
        "logical CPUs": str(len(topology) or os.cpu_count() or UNKNOWN),
        "usable CPUs": str(usable_cpus()),
        "clock": _clock(info),
        "virtual machine": ("yes" if "hypervisor" in info["flags"].split() else "no")
        if "flags" in info
        else UNKNOWN,
    }


def _clock(info: dict[str, str]) -> str:
    """`2.40 (3.40) GHz`, nominal and highest, as the study writes it; else what the kernel saw just now."""
    frequency = ROOT / "sys/devices/system/cpu/cpu0/cpufreq"
    base, highest = _read(frequency / "base_frequency"), _read(frequency / "cpuinfo_max_freq")  # kHz
    nominal = re.search(r"@ ([\d.]+)GHz", info.get("model name", ""))
    ghz = f"{int(base) / 1e6:.2f}" if base.isdigit() else f"{float(nominal[1]):.2f}" if nominal else ""
    top = f"({int(highest) / 1e6:.2f})" if highest.isdigit() else ""
    if ghz or top:
        return " ".join(part for part in (ghz, top, "GHz") if part)
    return f"{float(info['cpu MHz']) / 1e3:.2f} GHz when read" if "cpu MHz" in info else UNKNOWN


def _caches() -> dict[str, str]:
    """Size of each kind of cache times how many of it there are, like `1.25 MiB x 32`."""
    found: dict[str, set[tuple[str, str]]] = {label: set() for label in CACHES.values()}
    for cpu in _one_cpu_per_core():
        for cache in (cpu / "cache").glob("index*"):
            label = CACHES.get((_read(cache / "level"), _read(cache / "type")))
            if label:
                found[label].add((_read(cache / "shared_cpu_list"), _read(cache / "size")))
    return {label: _sizes(size for _, size in sorted(caches)) for label, caches in found.items()}


def _sizes(sizes: Iterable[str]) -> str:
    return " + ".join(f"{_size(size)} x {count}" for size, count in Counter(sizes).items()) or UNKNOWN


def _system() -> dict[str, str]:
    total = re.search(r"MemTotal:\s+(\d+) kB", _read("proc/meminfo"))
    release = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("etc/os-release"), re.MULTILINE)
    return {
        "NUMA nodes": str(len(list((ROOT / "sys/devices/system/node").glob("node[0-9]*"))) or UNKNOWN),
        "memory": _size(f"{total[1]}K") if total else UNKNOWN,
        "operating system": release[1] if release else UNKNOWN,
        "kernel": f"{platform.system()} {platform.release()}",
        "C library": _c_library(),
    }


def _libraries() -> dict[str, str]:
    names = {
        "NumPy": "numpy",
        "OpenCV": "opencv-python-headless",
        "albumentations": "albumentations",
        "Hydra": "hydra-core",
        "pandas": "pandas",
        "PyArrow": "pyarrow",
    }
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {"Python": python} | {label: version(name) for label, name in names.items()}


def _c_library() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or UNKNOWN
    except (ValueError, OSError, AttributeError):  # another C library than glibc
        return UNKNOWN


def _quotas() -> list[float]:
    """CPUs that each cgroup around this process may use, its own and those above it."""
    base, quotas = ROOT / "sys/fs/cgroup", []
    for line in _read("proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)  # `0::/a/b` in v2, `4:cpu,cpuacct:/a/b` in v1
        if controllers and "cpu" not in controllers.split(","):
            continue
        mounts = [base, base / "unified"] if not controllers else [base / controllers, base / "cpu"]
        for mount in mounts:
            inner = mount / group.lstrip("/")
            # Inside a container the path may be the host's: what is not there reads as nothing.
            for folder in (inner, *inner.parents):
                if not folder.is_relative_to(mount):
                    break
                quota = _read(folder / "cpu.max").split() or [
                    _read(folder / "cpu.cfs_quota_us"),
                    _read(folder / "cpu.cfs_period_us"),
                ]
                if all(part.isdigit() for part in quota) and int(quota[-1]):  # `max` and -1 mean no limit
                    quotas.append(int(quota[0]) / int(quota[-1]))
    return quotas


def _cpus() -> list[Path]:
    return sorted((ROOT / "sys/devices/system/cpu").glob("cpu[0-9]*"))


def _one_cpu_per_core() -> list[Path]:
    """Caches need no second look from a core's other threads; with many CPUs that takes a while."""
    return list({_siblings(cpu / "topology") or cpu.name: cpu for cpu in _cpus()}.values())


def _siblings(topology: Path) -> str:
    return _read(topology / "thread_siblings_list")


def _size(text: str) -> str:
    """`1280K` as `1.25 MiB`."""
    if not re.fullmatch(r"\d+[KMG]", text):
        return text or UNKNOWN
    kib = int(text[:-1]) * {"K": 1, "M": 1024, "G": 1024**2}[text[-1]]
    for unit, per in (("GiB", 1024**2), ("MiB", 1024)):
        if kib >= per:
            return f"{kib / per:.4g} {unit}"
    return f"{kib} KiB"


def _read(path: str | Path) -> str:
    """The text of a file under ROOT without its last newline; empty where there is none to read."""
    try:
        return (ROOT / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
