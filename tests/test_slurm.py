"""Sweeps on a real Slurm: each cell a job with a node of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pandas as pd
import psutil
import pytest

from experiments import ROOT
from experiments.analysis.select import STRONG, LeftOut, select
from experiments.store.columns import DETAIL_TABLES
from tests.helpers.commands import started, wait_until
from tests.helpers.slurm import Slurm, lacking, slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.fresh,
    pytest.mark.skipif(bool(lacking()), reason=f"Slurm: {lacking()}"),
]
SMALL = "-m strategy=p2 pipeline=light image_size=64x48 n_images=2 n_augmentations=2"
LAUNCHER = "hydra/launcher=slurm_node hydra.launcher.partition=debug"
JOB = "submitit.core._submit"
PATIENCE_S = 300  # on a busy machine


@pytest.fixture(scope="module")
def cluster() -> Iterator[Slurm]:
    """Yield a Slurm that leaves no process and no file."""
    with slurm() as running:
        yield running
    assert running.processes() == []
    assert not running.folder.exists()


@pytest.fixture(autouse=True)
def nothing_is_left(cluster: Slurm, tmp_path: Path) -> Iterator[None]:
    """Find no job, process of one, scratch folder, part of a row or detail without a row."""
    yield
    wait_until(lambda: not cluster.jobs(), PATIENCE_S)
    assert cluster.jobs() == []
    assert [process for process in cluster.processes() if JOB in command_line(process)] == []
    assert list((cluster.folder / "tmp").iterdir()) == []
    assert list(tmp_path.rglob("*.part")) == []
    stored = {path.name for path in tmp_path.glob("results/trials/*/*.parquet")}
    details = {path.name for table in DETAIL_TABLES for path in tmp_path.glob(f"results/{table}/*/*.parquet")}
    assert details <= stored


def command_line(process: psutil.Process) -> str:
    """Return the command line of a process, if it still lives."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def begun(cluster: Slurm, cwd: Path, text: str, *more: str) -> subprocess.Popen[bytes]:
    """Start a sweep and do not wait for it."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return started(*text.split(), *more, cwd=cwd, env=cluster.environment, **streams)


def ended(sweep: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Return the status of a sweep and what it printed to standard error."""
    _, printed = sweep.communicate(timeout=PATIENCE_S)
    return sweep.returncode, printed.decode()


def rows(folder: Path) -> pd.DataFrame:
    """Return the trials, oldest first; none before the first is stored."""
    paths = sorted(folder.glob("results/trials/adhoc/[!.]*.parquet"))
    trials = pd.concat([pd.read_parquet(path) for path in paths]) if paths else pd.DataFrame({"workers": []})
    return trials.sort_values("started_at") if paths else trials


def test_sweep_is_measured_once_on_nodes_alike(cluster: Slurm, tmp_path: Path) -> None:
    sweep = f"{SMALL} {LAUNCHER} workers=1,2 with_baseline=true"
    assert ended(begun(cluster, tmp_path, f"{sweep} repetitions=1 hydra.launcher.exclude=b")) == (0, ANY)
    first = rows(tmp_path)
    assert dict(first.groupby(["strategy", "workers"]).size()) == {
        ("p2", 1): 1,
        ("p2", 2): 1,
        ("sequential", 1): 2,
    }
    assert set(first["status"]) == {"ok"}
    assert set(first["node"]) == {"a"}
    assert set(first["usable_cpus"]) == {os.cpu_count()}
    assert ended(begun(cluster, tmp_path, f"{sweep} repetitions=1 hydra.launcher.exclude=a")) == (0, ANY)
    assert len(rows(tmp_path)) == len(first), "nothing is measured again on the next node"
    assert ended(begun(cluster, tmp_path, f"{sweep} repetitions=2 hydra.launcher.exclude=a")) == (0, ANY)
    assert dict(rows(tmp_path)["node"].value_counts()) == {"a": 4, "b": 4}
    assert rows(tmp_path)["machine"].nunique() == 1
    kept, left_out = select(rows(tmp_path), STRONG)
    assert set(kept["node"]) == {"b"}, "no point holds trials of two nodes"
    assert left_out == [LeftOut(4, ("node",))]


@pytest.mark.parametrize("how", ["scancel", "kill -9"])
def test_killed_job_is_resumed(how: str, cluster: Slurm, tmp_path: Path) -> None:
    sweep = f"{SMALL} {LAUNCHER} workers=1,2 repetitions=5"
    first = begun(cluster, tmp_path, sweep)
    wait_until(lambda: 1 in set(rows(tmp_path)["workers"]), PATIENCE_S)
    [job] = [job for job in cluster.jobs() if job.endswith("_0")]
    if how == "scancel":
        cluster.run("scancel", job)
    else:
        [victim] = [
            each for each in cluster.processes() if each.name().startswith("python") and is_job(each, job)
        ]
        victim.kill()
    status, printed = ended(first)
    assert status == 1
    assert re.fullmatch(
        rf"failed: Job {job} .*(CANCELLED|FAILED).*; the same command again .*", printed.splitlines()[-1]
    )
    wait_until(lambda: not cluster.jobs(), PATIENCE_S)  # the other job goes on to its end
    assert set(rows(tmp_path)["status"]) == {"ok"}
    assert ended(begun(cluster, tmp_path, sweep)) == (0, ANY)
    assert dict(rows(tmp_path).groupby("workers").size()) == {1: 5, 2: 5}
    assert set(rows(tmp_path)["status"]) == {"ok"}


def test_job_that_slurm_refuses_is_one_line(cluster: Slurm, tmp_path: Path) -> None:
    sweep = f"{SMALL} hydra/launcher=slurm_node hydra.launcher.partition=none workers=1,2"
    status, printed = ended(begun(cluster, tmp_path, sweep))
    assert status == 1
    assert re.match("failed: .*sbatch: error: .*invalid partition.*", printed.splitlines()[-1])


def is_job(process: psutil.Process, job: str) -> bool:
    """Return whether this is the process in which a job of Slurm measures."""
    number, _, place = job.partition("_")
    at = {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": place}
    return f"-m {JOB}" in command_line(process) and at.items() <= process.environ().items()


def test_interrupted_sweep_cancels_its_jobs_and_resumes(cluster: Slurm, tmp_path: Path) -> None:
    sweep = f"{SMALL} {LAUNCHER} workers=1,2 repetitions=5"
    first = begun(cluster, tmp_path, sweep)
    wait_until(lambda: len(rows(tmp_path)) >= 2, PATIENCE_S)
    first.send_signal(signal.SIGINT)
    status, printed = ended(first)
    assert status == 128 + signal.SIGINT
    assert "scancel: Terminating job" in printed
    assert "Run the same command again to resume" in printed
    wait_until(lambda: not cluster.jobs(), PATIENCE_S)
    assert len(rows(tmp_path)) < 10
    assert ended(begun(cluster, tmp_path, sweep)) == (0, ANY)
    assert dict(rows(tmp_path).groupby("workers").size()) == {1: 5, 2: 5}
    assert set(rows(tmp_path)["status"]) == {"ok"}


def test_job_with_a_part_of_its_cpus_is_refused_with_advice_that_works(
    cluster: Slurm, tmp_path: Path
) -> None:
    own, sweep = "export SRUN_CPUS_PER_TASK=1", f"{SMALL} {LAUNCHER} workers=1,2 repetitions=1"
    status, printed = ended(begun(cluster, tmp_path, sweep, f"hydra.launcher.setup=[{json.dumps(own)}]"))
    assert status == 2
    assert f"hydra.launcher.setup: the job may use 1 of its {os.cpu_count()} CPUs" in printed
    assert rows(tmp_path).empty
    [advised] = re.findall(r'let it hold ("export .*?")', printed)
    setup = f"hydra.launcher.setup=[{json.dumps(own)},{advised}]"
    assert ended(begun(cluster, tmp_path, sweep, setup)) == (0, ANY)
    assert set(rows(tmp_path)["usable_cpus"]) == {os.cpu_count()}


def test_slurm_of_a_killed_test_leaves_no_process_and_its_folder_is_removed() -> None:
    script = (
        "import tests.helpers.slurm as it\nwith it.slurm() as one: print(one.folder, flush=True); input()"
    )
    words = [sys.executable, "-c", script]
    owner = subprocess.Popen(words, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert owner.stdout
    left = Slurm(Path(owner.stdout.readline().strip()), {})
    assert len(left.processes()) >= 5, "munged, slurmctld and three slurmd"
    owner.kill()
    owner.communicate()
    wait_until(lambda: not left.processes())
    assert left.processes() == []
    with slurm():
        assert not left.folder.exists()


@pytest.mark.skipif(os.cpu_count() == 1, reason="no core is left beside the reserved one")
def test_node_with_a_reserved_core_is_measured_without_it(cluster: Slurm, tmp_path: Path) -> None:
    sweep = f"{SMALL} hydra/launcher=slurm_node hydra.launcher.partition=reserved workers=1,2 repetitions=1"
    assert ended(begun(cluster, tmp_path, sweep)) == (0, ANY)
    assert set(rows(tmp_path)["node"]) == {"reserved"}
    assert rows(tmp_path)["usable_cpus"].max() < os.cpu_count()
