"""Decoys outside the trials: another process that computes, and a quota of CPUs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from augment.runtime import die_with_parent
from experiments.machine.environment import cgroups

QUOTA_PERIOD_US = 100_000
OUTSIDE = {  # processes of other sessions that take a CPU
    "outside load": [sys.executable, "-c", "while True: pass"],
    "outside program": ["sha256sum", "/dev/zero"],  # of the system, with system CPU of its own
}


def cpu_shortage(cause: str, share: float, workers: int) -> AbstractContextManager[None]:
    """Return a context in which CPUs are short, if `cause` is a decoy of this kind, else an empty one.

    Those of OUTSIDE take one CPU; `CPU quota` takes the `share` of as many CPUs as there are workers. Raises
    OSError if the machine does not allow it.
    """
    if cause in OUTSIDE:
        return _outside_load(OUTSIDE[cause])
    return _cpu_quota(workers * (1 - share)) if cause == "CPU quota" else nullcontext()


@contextmanager
def _outside_load(command: list[str]) -> Iterator[None]:
    """Run a process of another session that computes."""
    with subprocess.Popen(command, start_new_session=True, preexec_fn=die_with_parent) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def _cpu_quota(cpus: float) -> Iterator[None]:
    """Limit this process and its children to so many CPUs by a cgroup (v1 or v2) below the current one."""
    current = next((folder for folder in cgroups("cpu") if folder.is_dir()), None)
    if current is None:
        raise FileNotFoundError("this process is in no cgroup that limits CPUs")
    limited = current / f"calibration-{os.getpid()}"
    limited.mkdir()
    try:
        _limit(limited, round(cpus * QUOTA_PERIOD_US))
        (limited / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        for pid in (limited / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                (current / "cgroup.procs").write_text(pid)
        limited.rmdir()


def _limit(folder: Path, quota_us: int) -> None:
    if (folder / "cpu.cfs_quota_us").exists():
        (folder / "cpu.cfs_period_us").write_text(str(QUOTA_PERIOD_US))
        (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
    else:
        (folder / "cpu.max").write_text(f"{quota_us} {QUOTA_PERIOD_US}")
