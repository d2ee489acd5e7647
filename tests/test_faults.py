"""Faults injected into every strategy: each ends soon, says who died of what, and leaves nothing.

FAULTS=20 pytest tests/test_faults.py tries each fault that often (make reliability); the moments
are random with a fixed seed."""

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from augment.image_file import has_end
from augment.runtime import Runtime, StartMethod
from augment.strategies import STRATEGIES
from augment.task_log import faults, reader
from augment.task_log.layout import Role
from augment.temporary import remove_abandoned, temporary_folder
from augment.workload import Job
from experiments import ROOT
from experiments.trial import supervisor
from experiments.trial.process import TrialProcess
from experiments.trial.process_watch import cause_of_death
from tests.conftest import tried
from tests.helpers.commands import command, meanwhile, started, wait_until
from tests.helpers.faulty_transforms import Exits, Hangs, Leaves, Raises, Sleeps, pipeline
from tests.helpers.small_jobs import INSTALLED, images, run, small_job

pytestmark = pytest.mark.fresh


TIMES = int(os.environ.get("FAULTS", "1"))
PATIENCE_S = 60  # reached only where a trial hangs: its error then says so, and the test fails


def slow_but_for(*quick: str) -> Callable[[str], Sequence[pytest.MarkDecorator]]:
    """Return the marks of a strategy: `make test` tries some, `make test-all` every one."""
    return lambda name: [] if name in quick else [pytest.mark.slow]


ROLES = {
    "sequential": (Role.WORKER,),
    "p1": (Role.MASTER, Role.WORKER),
    "p2": (Role.MASTER, Role.WORKER),
    "pq": (Role.MASTER, Role.WORKER, Role.SAVER, Role.MANAGER),
    "dynamic": (Role.MASTER, Role.WORKER),
}
VICTIMS = [
    pytest.param(name, role, marks=[*marks, *slow_but_for("p2", "pq")(name)], id=f"{name}-{role.name}")
    for name, marks in INSTALLED
    for role in ROLES.get(name, (Role.WORKER,))
    if name != "ray"  # whose workers are replaced: see test_ray.py
]
EACH = [
    pytest.param(name, marks=[*marks, *slow_but_for("sequential", "pq")(name)]) for name, marks in INSTALLED
]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process of a trial, no shared memory, no scratch folder, no socket."""
    place = Path(tempfile.mkdtemp(prefix="faults-", dir="/tmp"))  # a short path, as sockets need
    monkeypatch.setenv("TMPDIR", str(place))
    shared = set(Path("/dev/shm").iterdir())
    yield
    remove_abandoned(place)  # as the next sweep does for one that was killed
    assert list(place.iterdir()) == []
    place.rmdir()
    left = set(Path("/dev/shm").iterdir()) - shared
    wait_until(
        lambda: not left & set(Path("/dev/shm").iterdir())
    )  # those of tests beside this one go when they end
    assert not left & set(Path("/dev/shm").iterdir())
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        assert not (str(place) in words or f"trial {tmp_path}" in words) or process.info["status"] == "zombie"


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def strike(job: Job, role: Role, rng: random.Random) -> None:
    """Kill a random process of that role at a random moment of the trial.

    A worker is stopped first, so that it has a task in hand.
    """
    deadline = time.monotonic() + PATIENCE_S
    wait_s = rng.uniform(0.0, 0.5)
    while time.monotonic() < deadline:
        if any(header.unfinished_task for header in reader.headers(job.logs)) and victims(job, role):
            time.sleep(wait_s)
            pid = rng.choice(victims(job, role))
            os.kill(pid, signal.SIGSTOP)
            if role is not Role.WORKER or pid in victims(job, role, with_task=True):
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, signal.SIGCONT)
            wait_s = 0
        time.sleep(0.01)


def victims(job: Job, role: Role, with_task: bool = False) -> list[int]:
    those = [header for header in reader.headers(job.logs) if header.role is role]
    return [header.pid for header in those if header.unfinished_task or not with_task]


def ends(name: str, job: Job, expected: str) -> supervisor.Outcome:
    outcome = run(STRATEGIES[name](), job, PATIENCE_S)
    assert outcome.error is not None
    assert expected in outcome.error, outcome.error
    assert "\n" not in outcome.error
    assert not any(alive(log.header.pid) for log in outcome.logs)
    return outcome


@pytest.mark.parametrize("attempt", range(TIMES))
@pytest.mark.parametrize(("name", "role"), VICTIMS)
def test_killed_process_is_reported_with_its_role_and_task(
    name: str, role: Role, attempt: int, tmp_path: Path
) -> None:
    """Send the outputs to a scratch folder, as a sweep does, so that unfinished files go with it."""
    with temporary_folder(tmp_path) as output:
        job = job_of(name, tmp_path, n_augmentations=60, pipeline=pipeline(Sleeps), output=output)
        rng = random.Random(f"{name} {role} {attempt}")
        with meanwhile(strike, job, role, rng):
            outcome = ends(name, job, "killed by SIGKILL")
        assert all(has_end(path) for path in output.glob("aug_*"))
    assert outcome.error
    assert f": {role.name.lower()} " in outcome.error
    if role is Role.WORKER:
        assert "at task (" in outcome.error
    assert not list(tmp_path.rglob("*.part"))
    tried(f"kill -9 of a {role.name.lower()}")


def test_killed_neighbour_of_interference_is_reported(tmp_path: Path) -> None:
    job = small_job(tmp_path, 3, pipeline=pipeline(Sleeps))

    def kill() -> None:
        wait_until(lambda: victims(job, Role.WORKER, with_task=True))
        [subject] = victims(job, Role.WORKER, with_task=True)
        wait_until(lambda: len(victims(job, Role.WORKER)) == 3)
        os.kill(next(pid for pid in victims(job, Role.WORKER) if pid != subject), signal.SIGKILL)

    with meanwhile(kill):
        ends("interference", job, "killed by SIGKILL: worker")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_named_semaphores_are_removed_after_a_kill(method: str, tmp_path: Path) -> None:
    runtime = Runtime(start_method=StartMethod(method))
    job = small_job(tmp_path, 3, n_augmentations=60, pipeline=pipeline(Sleeps), runtime=runtime)
    with meanwhile(strike, job, Role.WORKER, random.Random(method)):
        ends("p1", job, "killed by SIGKILL: worker")


def job_of(name: str, folder: Path, **changes: Any) -> Job:
    changes.setdefault("inputs", images(folder, size=(48, 40)))  # too large for a transform to be tried on
    return small_job(folder, 1 if name == "sequential" else 3, **changes)


# The fault in a transform, and the error of a strategy that does not replace its workers.
IN_A_TRANSFORM = {
    "a transform raises": (pipeline(Raises), "RuntimeError: planted fault; worker"),
    "a transform exits": (pipeline(Exits), "SystemExit: 3; worker"),
    # Some do, while others have a task in hand: loky kills those.
    "a worker exits": (pipeline(Sleeps, Leaves, p=0.3), "ended early with status 0: worker"),
}


@pytest.mark.parametrize("fault", IN_A_TRANSFORM)
@pytest.mark.parametrize("name", EACH)
def test_fault_in_a_transform_is_the_error(name: str, fault: str, tmp_path: Path) -> None:
    declared, error = IN_A_TRANSFORM[fault]
    if fault == "a worker exits" and name == "ray":
        error = "died 4 times at tasks ("
    ends(name, job_of(name, tmp_path, pipeline=declared), error)
    tried(fault)


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_hang_ends_at_the_time_limit(name: str, tmp_path: Path) -> None:
    job = job_of(name, tmp_path, pipeline=pipeline(Hangs))
    outcome = run(STRATEGIES[name](), job, stall_timeout_s=8)  # time enough to begin on a busy machine
    assert outcome.error
    assert outcome.error.startswith("no task was finished for stall_timeout_s=8: ")
    if name != "ray":  # whose logs come back with the results
        assert "worker" in outcome.error
        first = "(" if name == "interference" else "(0, 0)"  # interference draws its tasks
        assert f"at task {first}" in outcome.error
    tried("a transform hangs")


@pytest.mark.parametrize("name", EACH)
def test_full_disk_for_outputs_is_the_error(name: str, small_disk: Path, tmp_path: Path) -> None:
    inputs = images(tmp_path, size=(160, 120))  # a dozen outputs fill the disk
    job = job_of(name, tmp_path, inputs=inputs, n_augmentations=20, output=small_disk / "out")
    ends(name, job, "no space left on device: aug_noise_")
    if name != "ray":  # whose other workers are killed, maybe in mid-write
        assert not list((small_disk / "out").glob(".*.part"))
    tried("the disk is full")


@pytest.mark.parametrize("name", EACH)
def test_full_disk_for_logs_is_the_error(name: str, small_disk: Path) -> None:
    ends(name, job_of(name, small_disk, n_augmentations=60), "no space left on device")
    tried("the disk is full for everything")


def test_worker_killed_by_the_supervisor_is_not_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last process of a family to end may be the one that looks after the others."""
    job = job_of("copies", tmp_path, pipeline=pipeline(Raises))
    end = supervisor._end

    def slowly(process: TrialProcess, folder: Path) -> None:
        faults.report(job.logs, "killed by SIGKILL: worker 1 between tasks", faults.Severity.KILLED)
        end(process, folder)

    monkeypatch.setattr(supervisor, "_end", slowly)
    ends("copies", job, "RuntimeError: planted fault; worker")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a tmpfs of half a MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs needs rights: {mounted.stderr.decode().strip()}")
    (disk / "out").mkdir()
    yield disk
    subprocess.run(["umount", disk], check=True)


SWEEP = ("-m", "strategy=sequential,pq", "workers=1,2", "protocol=smoke")
TELLING = ["strategy", "workers", "earlier_ok", "status", "outputs_digest"]


def rows(folder: Path) -> list[tuple[object, ...]]:
    table = pd.read_parquet(folder / "results" / "trials" / "adhoc")[TELLING].fillna("")
    return sorted(table.itertuples(index=False, name=None), key=str)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert command(*SWEEP, cwd=folder).returncode == 0
    return rows(folder)


@pytest.mark.parametrize(
    "stop",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
    ],
    ids=lambda stop: stop.name,
)
def test_stopped_sweep_resumes_to_the_same_rows(
    stop: signal.Signals, undisturbed: list[tuple[object, ...]], tmp_path: Path
) -> None:
    rng = random.Random(stop.name)
    for _ in range(max(2, TIMES)):
        sweep = started(*SWEEP, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(0.3, 5))
        sweep.send_signal(stop)
        _, printed = sweep.communicate()
        if sweep.returncode == 128 + stop:
            assert b"Run the same command again to resume" in printed
        else:  # done before, or killed before it had begun to measure
            assert sweep.returncode in (0, -stop), printed
        tried(f"{stop.name} of the sweep")
    assert command(*SWEEP, cwd=tmp_path).returncode == 0
    assert rows(tmp_path) == undisturbed


@pytest.mark.slow
def test_concurrent_sweeps_lose_and_double_no_row(
    undisturbed: list[tuple[object, ...]], tmp_path: Path
) -> None:
    both = [started(*SWEEP, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [sweep.wait(PATIENCE_S) for sweep in both] == [0, 0]
    assert rows(tmp_path) == undisturbed


@pytest.mark.slow
def test_sweeps_killed_at_random_moments_leave_nothing() -> None:
    """`make reliability` kills a thousand."""
    words = [sys.executable, "-m", "tests.kills", "2"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "0 rows lost or double, 0 rows without tasks, 0 tasks without a row" in ended.stdout


def test_sweeps_into_one_folder_alternate_trial_by_trial(tmp_path: Path) -> None:
    words = ("strategy=sequential", "protocol=smoke", "repetitions=6", "rerun=true")
    both = [started(*words, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [sweep.wait(PATIENCE_S) for sweep in both] == [0, 0]
    order = list(pd.read_parquet(tmp_path / "results" / "trials").sort_values("started_at")["sweep"])
    assert [order.count(sweep) for sweep in {*order}] == [6, 6]
    begin = max(order.index(sweep) for sweep in {*order})  # of the second sweep
    end = len(order) - max(order[::-1].index(sweep) for sweep in {*order})  # of the first
    assert all(one != next_one for one, next_one in pairwise(order[begin:end])), order


def test_trial_ends_if_its_sweep_is_killed(tmp_path: Path) -> None:
    words = (
        "pipeline.transforms=[{_target_:tests.helpers.faulty_transforms.Hangs}]",
        "strategy=pq",
        "workers=3",
        "protocol=smoke",
    )
    sweep = started(*words, cwd=tmp_path)
    process = psutil.Process(sweep.pid)
    wait_until(lambda: len(process.children(recursive=True)) >= 5)
    family = process.children(recursive=True)  # trial, manager, saver, two workers
    assert len(family) == 5
    sweep.kill()
    sweep.wait()
    _, left = psutil.wait_procs(family, timeout=10)
    assert left == []


def test_few_open_files_are_reported(tmp_path: Path) -> None:
    limited = started(
        *("strategy=p2", "workers=64", "protocol=smoke"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )
    printed, _ = limited.communicate()
    assert limited.returncode == 1
    assert b"open files" in printed


def test_death_by_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert cause_of_death(7, -40, None).line == "killed by signal 40: process 7 between tasks"
    unknown = "ended early with status unknown, or still running: process 7 between tasks"
    assert cause_of_death(7, None, None).line == unknown
