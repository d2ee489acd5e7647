"""`make overhead`: what recording every task costs, where it costs most: on the `light` pipeline.

Whole trials differ by more than that, neighbours do not: runs of tasks with `trace=true` and with
`trace=false` follow each other in one process, now the one first and now the other.

python -m experiments.sweep.recording_cost [--pairs 200] [--results results]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from augment.datasets.synthetic import Synthetic
from augment.images import decode
from augment.runtime import Runtime
from augment.task_log.layout import Role
from augment.task_log.writer import BLOCK_TASKS
from augment.task_runner import TaskRunner
from augment.workload import Job, Workload
from experiments import ROOT
from experiments.store import files as store
from experiments.store.columns import schema
from experiments.sweep import environment
from experiments.trial.scratch import scratch

PIPELINE, WIDTH, HEIGHT = "light", 500, 500
RUN = 32  # tasks: some hundredths of a second
RUNS = BLOCK_TASKS // RUN  # of each kind in a pair: with what it costs to write the tasks down


def pairs(saving: bool, n_pairs: int, folder: Path) -> Iterator[dict[str, float]]:
    """Seconds of a task in each pair: `recorded_s` and `unrecorded_s`."""
    declaration: Any = OmegaConf.to_container(OmegaConf.load(ROOT / f"conf/pipeline/{PIPELINE}.yaml"))
    inputs = tuple(Synthetic().files(1, (WIDTH, HEIGHT), seed=0, cache=folder / "cache"))
    for name in ("output", "False", "True"):
        (folder / name).mkdir()
    workload = Workload(inputs, 1, declaration, 0, folder / "output" if saving else None)
    jobs = [Job(workload, 1, Runtime(), folder / str(trace), trace) for trace in (False, True)]
    runners = [TaskRunner(job, Role.WORKER) for job in jobs]
    pixels = decode(inputs[0])
    for number in range(-1, n_pairs):  # the first pair warms up
        seconds = [0.0, 0.0]
        for run in range((number + 1) * RUNS, (number + 2) * RUNS):
            for trace in (run % 2, 1 - run % 2):
                seconds[trace] += _run_s(runners[trace], pixels, run) / BLOCK_TASKS
        if number >= 0:
            yield {"unrecorded_s": seconds[False], "recorded_s": seconds[True]}


def _run_s(runner: TaskRunner, pixels: Any, run: int) -> float:
    begin = time.perf_counter()
    for number in range(run * RUN, (run + 1) * RUN):
        with runner.task(0, number) as task:
            task.save(task.transform(pixels))
    return time.perf_counter() - begin


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures with and without saving, and stores the pairs."""
    import pyarrow as pa

    parser = argparse.ArgumentParser(prog="python -m experiments.sweep.recording_cost", description=__doc__)
    parser.add_argument("--pairs", type=int, default=200, help="two or more")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    chosen = parser.parse_args(arguments)
    if chosen.pairs < 2:
        parser.error(f"--pairs {chosen.pairs}: must be 2 or more, or there is no interval")
    begin, machine = datetime.now(UTC), environment.columns()["machine"]
    known = {"started_at": begin, "machine": machine, "pipeline": PIPELINE, "width": WIDTH, "height": HEIGHT}
    rows = []
    for saving in (True, False):
        with scratch(Path(tempfile.gettempdir())) as folder:
            rows += [known | {"saving": saving} | pair for pair in pairs(saving, chosen.pairs, folder)]
    path = chosen.results / "recording_cost" / "overhead" / f"{begin:%Y%m%dT%H%M%S}.parquet"
    store.write_table(path, pa.Table.from_pylist(rows, schema("recording_cost")))
    print(path)


if __name__ == "__main__":
    main()
