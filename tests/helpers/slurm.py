"""A real Slurm of three nodes on this machine, in a folder and a process namespace of its own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from augment.temporary import temporary_folder
from tests.helpers.commands import wait_until

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "setpriv")
LIKE, RESERVED = ("a", "b"), "reserved"  # two nodes alike, and one that keeps a core for itself
# Jobs are ended two seconds after a signal, not thirty.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=2
MpiDefault=none
PartitionName=debug Nodes=a,b Default=YES State=UP
PartitionName=reserved Nodes=reserved State=UP
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=1000 {more}\n"
)
DAEMONS = """\
munged --force --foreground --socket={folder}/munge.socket --key-file={folder}/munge.key \
    --pid-file={folder}/munge.pid --log-file={folder}/munge.log --seed-file={folder}/munge.seed &
slurmctld -D &
for node in a b reserved; do slurmd -D -N $node & done
wait
"""
# A database is needed for accounting. The controller knows the same of the last five minutes.
SACCT = """\
#!/bin/sh
echo "JobID|State|NodeList"
exec squeue --noheader --array --states=all --format="%i|%T|%N"
"""


def lacking() -> str | None:
    """Return why no Slurm can be started here."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurmctld slurmd slurm-client munge)"
    return None if os.geteuid() == 0 else "only root can start the daemons of Slurm"


@dataclass(frozen=True)
class Slurm:
    """A running Slurm; `environment` holds the variables for its commands and jobs."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str) -> str:
        """Return what a command of Slurm prints."""
        return subprocess.run(
            words, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def jobs(self) -> list[str]:
        """Return the ids of the jobs that wait, run or end."""
        return self.run("squeue", "--noheader", "--array", "--format=%i").split()

    def processes(self) -> list[psutil.Process]:
        """Return all living processes of the daemons and of their jobs."""
        mark, found = f"SLURM_CONF={self.folder}/slurm.conf\0".encode(), []
        for process in psutil.process_iter():
            try:
                if mark in Path(f"/proc/{process.pid}/environ").read_bytes():
                    found.append(process)
            except OSError:
                continue  # it has ended
        return found


@contextmanager
def slurm() -> Iterator[Slurm]:
    """Start a Slurm and end it with its jobs; it also ends if this process is killed.

    The daemons and jobs live in a process namespace, whose end the kernel lets none of them survive. A folder
    that is left behind is removed by the next call. The path is short, as sockets need.
    """
    with temporary_folder(Path("/tmp")) as folder:
        write_files(folder)
        (folder / "tmp").mkdir()
        places = {"SLURM_CONF": f"{folder}/slurm.conf", "TMPDIR": f"{folder}/tmp"}
        places |= {"XDG_CACHE_HOME": f"{folder}/cache", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        words = ["setpriv", "--pdeathsig", "KILL", *namespace, "sh", "-c", DAEMONS.format(folder=folder)]
        running = Slurm(folder, os.environ | places)
        with open(folder / "log", "wb") as log:
            daemons = subprocess.Popen(words, env=running.environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: is_ready(running))
            assert is_ready(running), (folder / "log").read_text()
            yield running
        finally:
            for first in psutil.Process(daemons.pid).children():
                first.kill()
            daemons.wait()


def write_files(folder: Path) -> None:
    """Write the configuration, a key for munge and the command `sacct`."""
    host, ports = socket.gethostname().partition(".")[0], free_ports(4)
    text = CONFIGURATION.format(folder=folder, host=host, controller_port=ports[0])
    for name, port in zip([*LIKE, RESERVED], ports[1:], strict=True):
        more = "CoreSpecCount=1" if name == RESERVED else ""
        text += NODE.format(name=name, host=host, port=port, cpus=os.cpu_count(), more=more)
    (folder / "slurm.conf").write_text(text)
    (folder / "munge.key").touch(mode=0o600)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "bin").mkdir()
    (folder / "bin/sacct").touch(mode=0o755)
    (folder / "bin/sacct").write_text(SACCT)


def free_ports(number: int) -> list[int]:
    """Return ports at which nothing listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def is_ready(running: Slurm) -> bool:
    """Return whether all nodes wait for jobs; ask no more often than the controller likes."""
    time.sleep(0.2)
    answer = subprocess.run(
        ["sinfo", "--noheader", "--format=%N %T", "--Node"],
        env=running.environment,
        capture_output=True,
        text=True,
    )
    return sorted(answer.stdout.split("\n")) == ["", *sorted(f"{name} idle" for name in (*LIKE, RESERVED))]
