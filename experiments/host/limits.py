"""What of memory, disk and open files is left to this process."""

import re
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from experiments.host import environment as machine

V1, V2 = ("memory.limit_in_bytes", "memory.usage_in_bytes"), ("memory.max", "memory.current")


@dataclass(frozen=True)
class Resources:
    """What a cell needs, or what there is."""

    memory_bytes: int
    disk_bytes: int
    open_files: int


def available(place: Path) -> Resources:
    """What there is now; `place`, or what there is of the folders above it, is on the disk asked for."""
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    return Resources(
        min([psutil.virtual_memory().available, *_memory_headrooms()]),
        shutil.disk_usage(existing).free,
        open_files_limit(),
    )


def _memory_headrooms() -> Iterator[int]:
    """Bytes that the memory limit of each cgroup around this process leaves (v1 and v2)."""
    base = machine.ROOT / "sys/fs/cgroup"
    for line in read(machine.ROOT / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)  # `0::/a/b` in v2, `4:memory:/a/b` in v1
        if controllers not in ("", "memory"):
            continue
        names = V1 if controllers else V2
        mount = base / controllers
        inner = mount / group.lstrip("/")
        for folder in (inner, *inner.parents):
            if not folder.is_relative_to(mount):
                break
            limit, used = (read(folder / name) for name in names)
            if limit.isdigit() and used.isdigit():  # `max` means no limit
                # The kernel drops cached files before it kills anyone.
                cached = re.findall(r"^(?:total_)?inactive_file (\d+)", read(folder / "memory.stat"), re.M)
                yield int(limit) - int(used) + max(map(int, cached), default=0)


def open_files_limit() -> int:
    """How many files this process may have open (the soft limit)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


def read(path: Path) -> str:
    """The text of a file of the system's; empty where there is none to read."""
    try:
        return path.read_text().strip()
    except OSError:  # a container need not show it
        return ""
