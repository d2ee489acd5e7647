"""What else may go on on a machine while trials are measured."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from experiments.host.environment import cgroups

PERIOD_US = 100_000  # of a quota


def surroundings(name: str, share: float, workers: int) -> AbstractContextManager[None]:
    """What takes a share of the CPUs of so many workers: `outside load` (one of them, whatever the share) or
    `CPU quota`; nothing under any other name. Raises OSError where it cannot be had."""
    if name == "outside load":
        return _outside_load()
    return _cpu_quota(workers * (1 - share)) if name == "CPU quota" else nullcontext()


@contextmanager
def _outside_load() -> Iterator[None]:
    """A process of another session that computes."""
    command = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def _cpu_quota(cpus: float) -> Iterator[None]:
    """This process and those that it starts may use so many CPUs: a cgroup (v1 or v2) below their own."""
    own = next((folder for folder in cgroups("cpu") if folder.is_dir()), None)
    if own is None:
        raise FileNotFoundError("no cgroup of CPUs here")
    limited = own / f"calibration-{os.getpid()}"
    limited.mkdir()
    try:
        _limit(limited, round(cpus * PERIOD_US))
        (limited / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        for pid in (limited / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (own / "cgroup.procs").write_text(pid)
        limited.rmdir()


def _limit(folder: Path, quota_us: int) -> None:
    if (folder / "cpu.cfs_quota_us").exists():
        (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
    else:
        (folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
