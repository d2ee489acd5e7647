"""strategy=ray on a cluster: three nodes on this machine, one of which dies."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

pytest.importorskip("ray")  # the extra `ray`

from augment.strategies import STRATEGIES
from augment.strategies.engines.ray import QUIET_ENVIRONMENT, Ray
from augment.task_log.layout import Role
from augment.temporary import remove_abandoned
from experiments.trial.tables import task_table
from tests.helpers.commands import meanwhile, started, wait_until
from tests.helpers.faulty_transforms import Sleeps, pipeline
from tests.helpers.small_jobs import contents, run, small_job

os.environ |= QUIET_ENVIRONMENT


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a head without CPUs and three nodes of one CPU."""
    from ray.cluster_utils import Cluster

    with TemporaryDirectory(dir="/tmp") as short:  # for sockets
        monkeypatch.setenv("RAY_TMPDIR", short)
        head = {"num_cpus": 0, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(3):
            cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_dead_node_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    declared = pipeline(Sleeps)
    assert run(Ray(), small_job(tmp_path / "alone", 1, n_augmentations=60, pipeline=declared)).error is None
    job = small_job(tmp_path / "cluster", 3, n_augmentations=60, pipeline=declared)
    outputs = tmp_path / "cluster" / "out"

    def kill_a_node() -> None:
        wait_until(lambda: len(list(outputs.glob("aug_*"))) >= 30)
        cluster.remove_node(cluster.list_all_nodes[-1], allow_graceful=False)

    with meanwhile(kill_a_node):
        outcome = run(Ray(address=cluster.address), job, stall_timeout_s=120)
    assert outcome.error is None
    assert contents(tmp_path / "cluster" / "out") == contents(tmp_path / "alone" / "out")
    tasks = task_table(outcome.logs, 0, "trial", saving=True).to_pandas()
    assert sorted(zip(tasks["image_index"], tasks["augmentation_index"], strict=True)) == [
        *job.workload.tasks()
    ]
    assert tasks["node"].nunique() == 3
    working = [log for log in outcome.logs if log.header.role is Role.WORKER]
    assert len({log.header.process for log in working}) >= 3


@pytest.mark.slow
def test_killed_worker_is_replaced(tmp_path: Path) -> None:
    alone = small_job(tmp_path / "alone", 1, n_augmentations=40, pipeline=pipeline(Sleeps))
    assert run(STRATEGIES["sequential"](), alone).error is None
    job = small_job(tmp_path / "ray", 2, n_augmentations=40, pipeline=pipeline(Sleeps))

    def kill_a_worker() -> None:
        wait_until(lambda: len(list((tmp_path / "ray" / "out").glob("aug_*"))) >= 20)
        next(each for each in psutil.process_iter() if "ray::_run_batch" in each.name()).kill()

    with meanwhile(kill_a_worker):
        outcome = run(Ray(), job)
    assert outcome.error is None
    assert contents(tmp_path / "ray" / "out") == contents(tmp_path / "alone" / "out")
    assert sum(len(log.tasks) for log in outcome.logs) == 3 * 40
    [master] = [log.header for log in outcome.logs if log.header.role is Role.MASTER]
    assert session(master.pid) == []


@pytest.mark.slow
def test_token_of_a_cluster_lies_in_the_folder_of_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    assert run(Ray(), small_job(tmp_path, 1)).error is None
    assert not list((tmp_path / "home").iterdir()), "Ray's default would be .ray/auth_token"


@pytest.mark.slow
def test_killed_sweep_leaves_nothing(tmp_path: Path) -> None:
    words = ("strategy=ray", "workers=2", "protocol=smoke", "n_augmentations=4000")
    slow = "pipeline.transforms=[{_target_:tests.helpers.faulty_transforms.Sleeps}]"
    sweep = started(*words, slow, cwd=tmp_path, env={"TMPDIR": "/tmp"}, stdout=subprocess.DEVNULL)
    process = psutil.Process(sweep.pid)
    wait_until(lambda: any(len(session(child.pid)) >= 8 for child in process.children()))
    [trial] = process.children()
    places = {psutil.Process(pid).environ()["TMPDIR"] for pid in session(trial.pid)}
    [folder] = places - {"/tmp"}  # of the trial, which its processes have
    sockets = Path(folder) / "ray"
    assert sockets.exists()
    sweep.kill()
    sweep.wait()
    wait_until(lambda: not session(trial.pid) and not sockets.exists())
    assert session(trial.pid) == []
    assert not sockets.exists()
    remove_abandoned(Path("/tmp"))


def session(leader: int) -> list[int]:
    """Return the living processes of a session."""
    alive = []
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getsid(process.pid) == leader and process.info["status"] != psutil.STATUS_ZOMBIE:
                alive.append(process.pid)
    return alive
