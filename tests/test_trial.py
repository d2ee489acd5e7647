"""The processes and scratch folders of a trial: CPU seconds, peak memory, and how they end."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from numpy.typing import NDArray

from augment.options import OptionError
from augment.runtime import Runtime, StartMethod, die_with_parent
from augment.strategies import STRATEGIES
from augment.strategies.engines.executors import Engine
from augment.task_log import faults, reader
from augment.task_log.layout import Header, Role
from augment.temporary import distant_directory, most_distant, temporary_folder
from experiments.trial import process, supervisor
from experiments.trial.process import TrialProcess
from experiments.trial.supervisor import Outcome
from tests.helpers.faulty_transforms import Leaves, Planted, Raises, Sleeps
from tests.helpers.forked_trials import ForkedTrial
from tests.helpers.small_jobs import FLIP, INSTALLED, contents, images, run, small_job

SPUN_S = 0.05
STARTS = {"fresh": TrialProcess, "forked": ForkedTrial}


class Spins(Planted):
    """Uses so much CPU time of its process."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        end = time.thread_time() + SPUN_S
        while time.thread_time() < end:
            sum(range(1000))
        return img


class SpinsBeside(Spins):
    """Uses so much CPU time of another thread."""

    def apply(self, img: NDArray[Any], **arguments: Any) -> NDArray[Any]:
        thread = Thread(target=super().apply, args=(img,))
        thread.start()
        thread.join()
        return img


class LeavesAtOnce(SpinsBeside):
    """Does the same, and lets its process end without cleaning up."""

    def apply(self, img: NDArray[Any], **arguments: Any) -> NDArray[Any]:
        Finalize(None, os._exit, args=(0,), exitpriority=100)
        return super().apply(img, **arguments)


def pipeline(kind: type[Planted]) -> dict[str, Any]:
    return {"transforms": [{"_target_": f"{kind.__module__}.{kind.__name__}"}]}


def cpu_s(outcome: Outcome) -> float:
    assert outcome.error is None, outcome.error
    return float(outcome.columns["cpu_user_s"] + outcome.columns["cpu_system_s"])


@pytest.mark.parametrize("method", StartMethod)
def test_cpu_seconds_cover_all_processes_under_every_start_method(
    method: StartMethod, tmp_path: Path
) -> None:
    """Workers of a forkserver are no children of the master. All CPUs give no more than they have."""
    job = small_job(tmp_path, 2, pipeline=pipeline(Spins), runtime=Runtime(start_method=method))
    outcome = run(STRATEGIES["p2"](), job)
    tasks_s = SPUN_S * len(list(job.workload.tasks()))
    assert tasks_s < cpu_s(outcome) < (os.cpu_count() or 1) * outcome.columns["wall_s"] + tasks_s


ENGINES = [
    pytest.param(name, marks=marks) for name, marks in INSTALLED if issubclass(STRATEGIES[name], Engine)
]


@pytest.mark.parametrize("name", ENGINES)
def test_cpu_seconds_of_an_engine_cover_all_threads_of_its_processes(name: str, tmp_path: Path) -> None:
    kind = LeavesAtOnce if name == "dask" else SpinsBeside  # the nanny may kill a worker that it has closed
    job = small_job(tmp_path, 2, pipeline=pipeline(kind), n_augmentations=20)
    outcome = run(STRATEGIES[name](), job)
    tasks_s = SPUN_S * len(list(job.workload.tasks()))
    assert cpu_s(outcome) - outcome.columns["master_threads_cpu_s"] > tasks_s
    assert cpu_s(outcome) < (os.cpu_count() or 1) * outcome.columns["wall_s"] + tasks_s


def test_cpu_seconds_of_a_trial_of_one_process_count_once(tmp_path: Path) -> None:
    job = small_job(tmp_path, 1, pipeline=pipeline(Spins))
    outcome = run(STRATEGIES["sequential"](), job)
    [log] = outcome.logs
    whole_s = log.header.cpu_user_s + log.header.cpu_system_s
    assert SPUN_S * 12 < cpu_s(outcome) < whole_s, "without its imports"


def test_peak_memory_of_a_trial_is_not_that_of_a_large_parent(tmp_path: Path) -> None:
    held = b"\1" * 500_000_000
    outcome = run(STRATEGIES["p2"](), small_job(tmp_path, 2))
    assert len(held) == 500_000_000
    assert all(0 < log.header.peak_rss_bytes < 400_000_000 for log in outcome.logs)


@pytest.mark.slow
def test_dynamic_holds_as_much_memory_for_400_images_as_for_20(tmp_path: Path) -> None:
    image = images(tmp_path, n_images=1, size=(1000, 1000))

    def peak_bytes(n_images: int) -> int:
        changes: Any = {"inputs": image.subset([0] * n_images), "n_augmentations": 1, "pipeline": FLIP}
        outcome = run(
            STRATEGIES["dynamic"](), small_job(tmp_path / str(n_images), 2, saving=False, **changes)
        )
        return sum(log.header.peak_rss_bytes for log in outcome.logs)

    assert peak_bytes(400) < 1.1 * peak_bytes(20)


def test_cpu_time_of_another_process_is_recorded(tmp_path: Path) -> None:
    """Twelve tasks that sleep, about 0.4 s in all, beside a process that spins."""
    job = small_job(tmp_path, 1, pipeline=pipeline(Sleeps))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        outcome = run(STRATEGIES["sequential"](), job)
        spinning.kill()
    assert outcome.columns["others_cpu_s"] > 0.1


def test_process_ends_if_its_parent_is_a_zombie(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = get_context("fork").Process(target=os._exit, args=(0,))
    dead.start()
    os.waitid(os.P_PID, dead.pid or 0, os.WEXITED | os.WNOWAIT)  # ended, and not reaped
    monkeypatch.setattr("multiprocessing.parent_process", lambda: SimpleNamespace(pid=dead.pid))
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace(prctl=lambda *_: 0))
    child = os.fork()
    if not child:
        die_with_parent()
        os.kill(os.getpid(), signal.SIGKILL)  # not reached
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    dead.join()


def test_skipped_images_are_no_stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = iter(range(6))
    worker = Header(1, 0, 0, 0, 7, 7, Role.WORKER, 1, 0, 1.0, 0.0, 0.0, 0.0)

    class Reads:
        def wait(self, seconds: float) -> None:
            if (image := next(begun, None)) is not None:
                monkeypatch.setattr(reader, "headers", lambda _: [worker._replace(image_index=image)])
                time.sleep(0.2)
                raise subprocess.TimeoutExpired("", seconds)

    monkeypatch.setattr(supervisor, "LOOK_S", 0)
    monkeypatch.setattr(faults, "reported", lambda _: None)
    process: Any = Reads()
    assert supervisor._wait(process, small_job(tmp_path, 1), 0.5, lambda _: None) is None


def test_outputs_lie_in_a_new_folder_of_their_own(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as folder:
        first, second = distant_directory(folder), distant_directory(folder)
        assert first.parent == second.parent == folder
        assert first != second
        (first / "a.png").touch()
    assert not list(tmp_path.iterdir())


def test_place_of_outputs_is_the_farthest_from_the_last_ones() -> None:
    assert most_distant([10, 50, 90], recent=[0, 100]) == 50
    assert most_distant([10, 50, 90], recent=[40]) == 90
    assert most_distant([10, 50, 90], recent=[]) == 10


def test_forked_trial_writes_what_a_fresh_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, start in STARTS.items():
        monkeypatch.setattr(process, "TrialProcess", start)
        assert run(STRATEGIES["p2"](), small_job(tmp_path / name, 2)).error is None
    assert contents(tmp_path / "forked" / "out") == contents(tmp_path / "fresh" / "out")


@pytest.mark.parametrize(
    ("kind", "error"), [(Raises, "RuntimeError: planted fault"), (Leaves, "ended early")]
)
@pytest.mark.parametrize("name", ["sequential", "p2"])
def test_forked_trial_fails_as_a_fresh_one_does(
    name: str, kind: type, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, start in STARTS.items():
        monkeypatch.setattr(process, "TrialProcess", start)
        job = small_job(tmp_path / folder, 1 if name == "sequential" else 2, pipeline=pipeline(kind))
        assert (run(STRATEGIES[name](), job).error or "").startswith(error)


@pytest.mark.fresh
def test_process_that_cannot_start_is_an_error_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "psutil.py").write_text("raise RuntimeError('planted fault')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(OptionError, match="a trial's process ended with status 1: RuntimeError: planted"):
        process.waiting_process(FLIP).check(FLIP, False, None)


@pytest.mark.fresh
def test_packages_of_a_callable_are_not_those_of_another_pipeline() -> None:
    assert "albucore" in process.waiting_process(FLIP).check(FLIP, False, None)["packages"]
    mirror = {"library": "callable", "_target_": "tests.helpers.mirror.mirror"}
    assert "albucore" not in process.waiting_process(mirror).check(mirror, False, None)["packages"]
