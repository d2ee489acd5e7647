"""`make overhead`: what recording every task costs, where it costs most: on the `light` pipeline.

Whole trials differ by more than that, neighbours do not: runs of tasks with `trace=true` and with
`trace=false` follow each other in one process, now the one first and now the other.

python -m experiments.measure.recording_cost [--pairs 200] [--results results]
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from augment.datasets.synthetic import Synthetic
from augment.recording.log import KEPT, Role
from augment.runtime import Runtime
from augment.task_runner import Bench
from augment.workload import Job, Workload
from experiments import ROOT
from experiments.measure.scratch import scratch
from experiments.report.__main__ import write
from experiments.report.overhead import overhead_table
from experiments.report.render import text
from experiments.report.reports import Report

PIPELINE, SIZE = "light", (500, 500)
RUN = 32  # tasks: some hundredths of a second
RUNS = KEPT // RUN  # of each kind in a pair: with what it costs to write the tasks down


def pairs(saving: bool, n_pairs: int, folder: Path) -> pd.DataFrame:
    """Seconds of a task in each pair: `recorded_s` and `unrecorded_s`."""
    pipeline = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "pipeline" / f"{PIPELINE}.yaml"))
    inputs = tuple(Synthetic().files(1, SIZE, seed=0, cache=folder / "cache"))
    output = _new(folder / "output") if saving else None
    workload = Workload(inputs, 1, pipeline, 0, output)  # type: ignore[arg-type]
    benches = [
        Bench(Job(workload, 1, Runtime(), _new(folder / str(trace)), trace), Role.WORKER)
        for trace in (False, True)
    ]
    with benches[0].task(0, 0) as task:
        pixels = task.read()
    rows = []
    for number in range(-1, n_pairs):  # the first pair warms up
        seconds = [0.0, 0.0]
        for run in range((number + 1) * RUNS, (number + 2) * RUNS):
            for trace in (run % 2, 1 - run % 2):
                seconds[trace] += _run_s(benches[trace], pixels, run) / KEPT
        rows.append(seconds)
    return pd.DataFrame(rows[1:], columns=["unrecorded_s", "recorded_s"]).assign(saving=saving)


def _run_s(bench: Bench, pixels: Any, run: int) -> float:
    begin = time.perf_counter()
    for number in range(run * RUN, (run + 1) * RUN):
        with bench.task(0, number) as task:
            task.save(task.transform(pixels))
    return time.perf_counter() - begin


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures with and without saving; prints and writes the table."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.measure.recording_cost", description=main.__doc__
    )
    parser.add_argument("--pairs", type=int, default=200, help="two or more")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    chosen = parser.parse_args(arguments)
    if chosen.pairs < 2:
        parser.error(f"--pairs {chosen.pairs}: must be 2 or more, or there is no interval")
    measured = []
    for saving in (True, False):
        with scratch(Path(tempfile.gettempdir())) as folder:
            measured.append(pairs(saving, chosen.pairs, folder))
    table = overhead_table(pd.concat(measured), f"Recording on {PIPELINE}, {SIZE[0]}x{SIZE[1]} pixels")
    print(*write(Report({"table": [table]}), chosen.results, "overhead"), text(table), sep="\n")


if __name__ == "__main__":
    main()
