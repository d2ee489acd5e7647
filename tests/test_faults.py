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
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import psutil
import pytest

from augment.images import decode
from augment.runtime import Runtime
from augment.strategies import STRATEGIES
from augment.task_log import faults, reader
from augment.task_log.layout import Role
from augment.task_log.processes import StartMethod
from augment.workload import Job
from experiments import ROOT
from experiments.trial import supervisor
from experiments.trial.scratch import remove_abandoned, scratch
from tests.conftest import tried
from tests.helpers.commands import command
from tests.helpers.faulty_transforms import Exits, Hangs, Leaves, Raises, Sleeps, pipeline
from tests.helpers.small_jobs import INSTALLED, run, small_job

pytestmark = pytest.mark.fresh


TIMES = int(os.environ.get("FAULTS", "1"))
PATIENCE_S = 60  # reached only where a trial hangs: its error then says so, and the test fails


def slow_but_for(*quick: str) -> Callable[[str], Sequence[pytest.MarkDecorator]]:
    """The marks of a strategy: every strategy is tried by `make test-all`, these by `make test` too."""
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
    if not STRATEGIES[name].replaces_workers  # see test_ray.py
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
    left, deadline = set(Path("/dev/shm").iterdir()) - shared, time.monotonic() + PATIENCE_S
    while left and time.monotonic() < deadline:  # those of tests beside this one go when they end
        time.sleep(0.1)
        left &= set(Path("/dev/shm").iterdir())
    assert not left
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        assert not (str(place) in words or f"trial {tmp_path}" in words) or process.info["status"] == "zombie"


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def strike(job: Job, role: Role, rng: random.Random) -> None:
    """SIGKILLs a random process of that role at a random moment of the trial; a worker is held still
    first, to see that it has a task in hand."""
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
    """Outputs go where a sweep's do, to a scratch folder: a file that was being written goes with it, and
    what has its name is whole."""
    workers = 1 if name == "sequential" else 3
    with scratch(tmp_path) as output:
        job = small_job(tmp_path, workers, n_augmentations=60, pipeline=pipeline(Sleeps), output=output)
        rng = random.Random(f"{name} {role} {attempt}")
        killer = threading.Thread(target=strike, args=(job, role, rng))
        killer.start()
        outcome = ends(name, job, "killed by SIGKILL")
        killer.join()
        assert all(decode(path).size for path in output.glob("aug_*"))
    assert outcome.error
    assert f": {role.name.lower()} " in outcome.error
    if role is Role.WORKER:
        assert "at task (" in outcome.error
    assert not list(tmp_path.rglob("*.part"))
    tried(f"kill -9 of a {role.name.lower()}", name)


def test_killed_neighbour_of_interference_is_reported(tmp_path: Path) -> None:
    job = small_job(tmp_path, 3, pipeline=pipeline(Sleeps))

    def kill() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not (subjects := victims(job, Role.WORKER, with_task=True)) and time.monotonic() < deadline:
            time.sleep(0.01)
        while len(workers := victims(job, Role.WORKER)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(next(pid for pid in workers if pid not in subjects), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    ends("interference", job, "killed by SIGKILL: worker")
    killer.join()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_named_semaphores_are_removed_after_a_kill(method: str, tmp_path: Path) -> None:
    runtime = Runtime(start_method=StartMethod(method))
    job = small_job(tmp_path, 3, n_augmentations=60, pipeline=pipeline(Sleeps), runtime=runtime)
    killer = threading.Thread(target=strike, args=(job, Role.WORKER, random.Random(method)))
    killer.start()
    ends("p1", job, "killed by SIGKILL: worker")
    killer.join()


@pytest.mark.parametrize("name", EACH)
class TestInATransform:
    workers = staticmethod(lambda name: 1 if name == "sequential" else 3)

    def test_exception_is_the_error(self, name: str, tmp_path: Path) -> None:
        job = small_job(tmp_path, self.workers(name), pipeline=pipeline(Raises))
        ends(name, job, "RuntimeError: planted fault; worker")
        tried("a transform raises", name)

    def test_system_exit_is_the_error(self, name: str, tmp_path: Path) -> None:
        job = small_job(tmp_path, self.workers(name), pipeline=pipeline(Exits))
        ends(name, job, "SystemExit: 3; worker")
        tried("a transform exits", name)

    def test_silent_exit_is_the_error(self, name: str, tmp_path: Path) -> None:
        """Some do, while others have a task in hand: loky kills those."""
        job = small_job(tmp_path, self.workers(name), pipeline=pipeline(Sleeps, Leaves, p=0.3))
        replaced = STRATEGIES[name].replaces_workers
        ends(name, job, "died 4 times at tasks (" if replaced else "ended early with status 0: worker")
        tried("a worker exits", name)

    @pytest.mark.slow
    def test_hang_ends_at_the_time_limit(self, name: str, tmp_path: Path) -> None:
        job = small_job(tmp_path, self.workers(name), pipeline=pipeline(Hangs))
        outcome = run(STRATEGIES[name](), job, timeout_s=8)  # time enough to begin on a busy machine
        assert outcome.error
        assert outcome.error.startswith("not done after trial_timeout_s=8: ")
        if not STRATEGIES[name].replaces_workers:  # whose logs come back with the results
            assert "worker" in outcome.error
            assert "at task (0, 0)" in outcome.error
        tried("a transform hangs", name)

    def test_full_disk_for_outputs_is_the_error(self, name: str, small_disk: Path, tmp_path: Path) -> None:
        job = small_job(tmp_path, self.workers(name), n_augmentations=60, output=small_disk / "out")
        ends(name, job, "no space left on device: aug_noise_")
        if not STRATEGIES[name].replaces_workers:  # whose other workers are killed, maybe in mid-write
            assert not list((small_disk / "out").glob(".*.part"))
        tried("the disk is full", name)

    def test_full_disk_for_logs_is_the_error(self, name: str, small_disk: Path) -> None:
        job = small_job(small_disk, self.workers(name), n_augmentations=60)
        ends(name, job, "no space left on device")
        tried("the disk is full for everything", name)


def test_worker_killed_by_the_supervisor_is_not_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a family that is being ended, the one that looks after the others may be the last to go."""
    job = small_job(tmp_path, 3, pipeline=pipeline(Raises))
    end = supervisor._end

    def slowly(process: supervisor.Process, folder: Path) -> None:
        faults.report(job.logs, "killed by SIGKILL: worker 1 between tasks", faults.Severity.KILLED)
        end(process, folder)

    monkeypatch.setattr(supervisor, "_end", slowly)
    ends("copies", job, "RuntimeError: planted fault; worker")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of half a MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs needs rights: {mounted.stderr.decode().strip()}")
    (disk / "out").mkdir()
    yield disk
    subprocess.run(["umount", disk], check=True)


SWEEP = ("-m", "strategy=sequential,p1,pq", "workers=1,2", "protocol=smoke")
TELLING = ["strategy", "workers", "repetition", "status", "outputs_digest"]


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
        sweep = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), *SWEEP],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(rng.uniform(0.3, 5))
        sweep.send_signal(stop)
        _, printed = sweep.communicate()
        if sweep.returncode == 128 + stop:
            assert b"the same command goes on where it stopped" in printed
        else:  # done before, or killed before it had begun to measure
            assert sweep.returncode in (0, -stop), printed
        tried(f"{stop.name} of the sweep", "all")
    assert command(*SWEEP, cwd=tmp_path).returncode == 0
    assert rows(tmp_path) == undisturbed


@pytest.mark.slow
def test_concurrent_sweeps_lose_and_double_no_row(
    undisturbed: list[tuple[object, ...]], tmp_path: Path
) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), *SWEEP], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    assert [sweep.wait(PATIENCE_S) for sweep in both] == [0, 0]
    assert rows(tmp_path) == undisturbed


def test_trial_ends_if_its_sweep_is_killed(tmp_path: Path) -> None:
    words = (
        "pipeline.transforms=[{_target_:tests.helpers.faulty_transforms.Hangs}]",
        "strategy=pq",
        "workers=3",
        "protocol=smoke",
    )
    sweep = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    family: list[psutil.Process] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(family) < 5 and time.monotonic() < deadline:  # trial, manager, saver, two workers
        family = psutil.Process(sweep.pid).children(recursive=True)
        time.sleep(0.05)
    assert len(family) == 5
    sweep.kill()
    sweep.wait()
    _, left = psutil.wait_procs(family, timeout=10)
    assert left == []


def test_few_open_files_are_reported(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    ended = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "strategy=p2", "workers=64", "protocol=smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=limited,
    )
    assert ended.returncode == 1
    assert "open files" in ended.stdout
