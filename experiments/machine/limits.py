"""The memory, disk and open files that are left to this process."""

import re
import resource
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from experiments.machine.environment import UNKNOWN, cgroups, read


@dataclass(frozen=True)
class Resources:
    """The resources that a cell needs, or that are available."""

    memory_bytes: int
    disk_bytes: int
    open_files: int


def available(place: Path) -> Resources:
    """Return the resources available now: the disk is that of `place`; an address has no limit."""
    memory_bytes = min([psutil.virtual_memory().available, *_memory_headrooms()])
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)  # the soft limit
    is_limited = open_files != resource.RLIM_INFINITY
    return Resources(memory_bytes, _free_bytes(place), open_files if is_limited else sys.maxsize)


def _free_bytes(place: Path) -> int:
    if not isinstance(place, Path):
        return sys.maxsize
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _memory_headrooms() -> Iterator[int]:
    """Yield the bytes that the memory limit of each cgroup around this process leaves."""
    for folder in cgroups("memory"):
        limit = read(folder / "memory.max") or read(folder / "memory.limit_in_bytes")
        used = read(folder / "memory.current") or read(folder / "memory.usage_in_bytes")
        if limit.isdigit() and used.isdigit():  # `max` means no limit
            # Cached files count as free: the kernel drops them before it kills a process.
            cached = re.findall(r"^(?:total_)?inactive_file (\d+)", read(folder / "memory.stat"), re.M)
            yield int(limit) - int(used) + max(map(int, cached), default=0)


def file_system(place: Path) -> str:
    """Return type and mount point of a path's file system, like `ext4 /home`, or an address's bucket."""
    if not isinstance(place, Path):
        return "/".join(str(place).split("/")[:3])
    types = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    folders = map(str, (place.resolve(), *place.resolve().parents))
    return next((f"{types[folder]} {folder}" for folder in folders if folder in types), UNKNOWN)
