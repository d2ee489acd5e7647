"""The record of a trial's processes: CPU seconds, peak memory and policies in force."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from augment.runtime import Runtime, StartMethod
from augment.strategies import STRATEGIES
from experiments.trial import supervisor
from experiments.trial.inside import Result
from tests.helpers.faulty_transforms import Planted, Sleeps
from tests.helpers.small_jobs import FLIP, images, run, small_job

SPUN_S = 0.05


class Spins(Planted):
    """Uses so much CPU time of its process."""

    def apply(self, img: NDArray[Any], **_: Any) -> NDArray[Any]:
        end = time.process_time() + SPUN_S
        while time.process_time() < end:
            sum(range(1000))
        return img


def pipeline(kind: type[Planted]) -> dict[str, Any]:
    return {"transforms": [{"_target_": f"{kind.__module__}.{kind.__name__}"}]}


def cpu_s(result: Result) -> float:
    return float(result.columns["cpu_user_s"] + result.columns["cpu_system_s"])


@pytest.mark.parametrize("method", StartMethod)
def test_cpu_seconds_cover_all_processes_under_every_start_method(
    method: StartMethod, tmp_path: Path
) -> None:
    """Workers of a forkserver are no children of the master. All CPUs give no more than they have."""
    job = small_job(tmp_path, 2, pipeline=pipeline(Spins), runtime=Runtime(start_method=method))
    result = run(STRATEGIES["p2"](), job).result
    assert result
    tasks_s = SPUN_S * len(list(job.workload.tasks()))
    assert tasks_s < cpu_s(result) < (os.cpu_count() or 1) * result.columns["wall_s"] + tasks_s


def test_cpu_seconds_of_a_trial_of_one_process_count_once(tmp_path: Path) -> None:
    job = small_job(tmp_path, 1, pipeline=pipeline(Spins))
    outcome = run(STRATEGIES["sequential"](), job)
    assert outcome.result
    [log] = outcome.logs
    whole_s = log.header.cpu_user_s + log.header.cpu_system_s
    assert SPUN_S * 12 < cpu_s(outcome.result) < whole_s, "without its imports"


def test_the_peak_memory_of_a_trial_is_not_that_of_a_large_parent(tmp_path: Path) -> None:
    held = b"\1" * 500_000_000
    outcome = run(STRATEGIES["p2"](), small_job(tmp_path, 2))
    assert len(held) == 500_000_000
    assert all(0 < log.header.peak_rss_bytes < 400_000_000 for log in outcome.logs)


@pytest.mark.slow
def test_dynamic_holds_as_much_memory_for_400_images_as_for_20(tmp_path: Path) -> None:
    image = images(tmp_path, n_images=1, size=(1000, 1000))

    def peak_bytes(n_images: int) -> int:
        changes: Any = {"inputs": image * n_images, "n_augmentations": 1, "pipeline": FLIP}
        outcome = run(
            STRATEGIES["dynamic"](), small_job(tmp_path / str(n_images), 2, saving=False, **changes)
        )
        return sum(log.header.peak_rss_bytes for log in outcome.logs)

    assert peak_bytes(400) < 1.1 * peak_bytes(20)


def test_cpu_time_of_another_process_is_recorded(tmp_path: Path) -> None:
    """Twelve tasks that sleep, about 0.4 s in all, beside a process that spins."""
    job = small_job(tmp_path, 1, pipeline=pipeline(Sleeps))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        result = run(STRATEGIES["sequential"](), job).result
        spinning.kill()
    assert result
    assert result.columns["others_cpu_s"] > 0.1


def test_unreaped_process_counts_as_ended() -> None:
    process = subprocess.Popen(["true"])
    assert supervisor._has_ended(process.pid, timeout_s=60)
    process.wait()
    assert supervisor._has_ended(process.pid, timeout_s=0)
    assert not supervisor._has_ended(os.getpid(), timeout_s=0)
