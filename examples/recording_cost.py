"""The cost of recording every task, as a share of a task of `pipeline=light` at 500x500.

python -m examples.recording_cost 200

Whole trials differ by more than this cost. Runs of 32 tasks with and without recording therefore alternate in
one process; the argument is the number of pairs, each of 256 tasks with recording and 256 without.
"""

import sys
import tempfile
import time
from math import log, sqrt
from pathlib import Path
from statistics import fmean, stdev

from augment.datasets.synthetic import Synthetic
from augment.image_file import read_image
from augment.runtime import Runtime
from augment.task_log.layout import Role
from augment.task_log.writer import BLOCK_TASKS
from augment.task_runner import TaskRunner
from augment.workload import Job, Workload

LIGHT = [
    {"_target_": "albumentations.HorizontalFlip", "p": 0.5},
    {"_target_": "albumentations.RandomBrightnessContrast", "p": 1},
]
RUN_TASKS = 32


def measure(saving: bool, n_pairs: int, folder: Path) -> dict[bool, list[float]]:
    """Return the seconds of a task with recording (True) and without, one value per pair."""
    [image] = images = Synthetic().files(1, (500, 500), seed=0, cache=folder)
    workload = Workload(images, 1, {"transforms": LIGHT}, 0, folder if saving else None)
    runners, seconds, pixels = {}, {}, read_image(image, 10**8).pixels
    for trace in (True, False):
        logs = folder / f"trace={trace}"
        logs.mkdir()
        runners[trace] = TaskRunner(Job(workload, 1, Runtime(), logs, trace), Role.WORKER)
        seconds[trace] = [0.0] * (n_pairs + 1)
    for first in range(0, (n_pairs + 1) * BLOCK_TASKS, RUN_TASKS):
        for trace in (True, False) if first // RUN_TASKS % 2 else (False, True):
            begin = time.perf_counter()
            for number in range(first, first + RUN_TASKS):
                with runners[trace].task(0, number) as task:
                    task.save(task.transform(pixels))
            seconds[trace][first // BLOCK_TASKS] += (time.perf_counter() - begin) / BLOCK_TASKS
    return {trace: values[1:] for trace, values in seconds.items()}  # the first pair warms up


if __name__ == "__main__":
    for saving in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            seconds = measure(saving, int(sys.argv[1]), Path(folder))
        costs = [log(recorded / plain) for recorded, plain in zip(seconds[True], seconds[False], strict=True)]
        mean, error = fmean(costs), 1.96 * stdev(costs) / sqrt(len(costs))
        task_ms = 1e3 * fmean(seconds[False])
        print(f"saving={saving}: recording adds {mean:.1%} ± {error:.1%} to a task of {task_ms:.2f} ms")
