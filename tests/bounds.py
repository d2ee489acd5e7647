"""`make bounds`: what trials of a million tasks cost after their timed region, and what a report over them
costs, against the bounds. Logs are written, nothing is augmented. Exit status 1: a bound is missed."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from augment.recording.counters import peak_rss_bytes
from augment.recording.log import STAGES, Role
from augment.recording.log_writer import Log
from tests.helpers.fake_clock import HandClock

N_TASKS, N_AUGMENTATIONS = 1_000_000, 100
TASK_S = 0.01  # long enough for the transforms of every task to be timed: the most that a trial records
TRANSFORMS = ("HorizontalFlip", "RandomBrightnessContrast", "ISONoise")
BEGIN = HandClock.now
TRIALS = {"sequential": 1, "p2": 2}  # strategy: processes


@dataclass(frozen=True)
class Cost:
    """What a process took, and at most may take."""

    seconds: float
    peak_rss_bytes: int

    def exceeds(self, bound: "Cost") -> bool:
        return self.seconds > bound.seconds or self.peak_rss_bytes > bound.peak_rss_bytes


STORING, REPORT = Cost(60, 1_000_000_000), Cost(float("inf"), 2_000_000_000)


def write_logs(folder: Path, n_tasks: int, processes: int) -> None:
    """The logs of a trial of so many tasks, an equal part of them by each process."""
    folder.mkdir()
    start = get_context("fork").Process
    writers = [start(target=_write_log, args=(folder, n_tasks, k, processes)) for k in range(processes)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


def _write_log(folder: Path, n_tasks: int, first: int, processes: int) -> None:
    clock = HandClock()
    log = Log(folder, Role.WORKER, clock=clock)
    log.ready(opencv_threads=1, os_threads=1)
    for number in range(first, n_tasks, processes):
        log.begin(*divmod(number, N_AUGMENTATIONS))
        for name in TRANSFORMS:
            log.transformed(name, begin=clock.now - TASK_S)
        for stage in range(len(STAGES)):
            clock.tick(TASK_S / len(STAGES))
            log.lap(stage)
        log.end()
    log.leave()


def measured(what: str, folder: Path, *words: str) -> Cost:
    """What a fresh process costs that stores a trial, or reports the results, in a folder."""
    command = [sys.executable, "-m", "tests.bounds", what, str(folder), *words]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Cost(**json.loads(output))


def store_trial(folder: Path, strategy: str, n_tasks: int) -> None:
    """Stores a trial from its logs as a sweep does."""
    from augment.recording.log_reader import read
    from experiments.measure.supervisor import Outcome
    from experiments.measure.task_columns import tables
    from experiments.measure.trial import Result
    from experiments.records import store
    from tests.helpers.trial_rows import trial

    processes = TRIALS[strategy]
    wall_s = n_tasks / processes * TASK_S
    sizes = {"tasks": n_tasks, "n_augmentations": N_AUGMENTATIONS, "n_images": n_tasks // N_AUGMENTATIONS}
    used = {"cpu_user_s": wall_s, "cpu_system_s": 0.0, "kernel_before_s": 0.005, "kernel_after_s": 0.005}
    row = trial(strategy, processes, wall_s, trace=True, opencv_threads=1, **sizes, **used)
    result = Result(BEGIN, wall_s, wall_s, 0.0, 0.0, 0, "fork", 1, {})
    outcome = Outcome(result, None, read(folder / strategy))
    store.write(folder / "results", strategy, row, tables(outcome, row["trial_id"], saving=True))


def report(folder: Path) -> None:
    """The report over all of them, as `make figures` makes it."""
    from experiments.report.__main__ import main as write_report

    with redirect_stdout(sys.stderr), suppress(SystemExit):
        write_report(["--results", str(folder / "results"), "--experiment", "strong_scaling"])


def print_costs(n_tasks: int, folder: Path) -> bool:
    """Makes, stores and reports the trials; returns whether all stayed within their bounds."""
    within = True
    for strategy, processes in TRIALS.items():
        write_logs(folder / strategy, n_tasks, processes)
        cost = measured("store", folder, strategy, str(n_tasks))
        print(f"{strategy}, {n_tasks} tasks, from logs to parquet: {_text(cost, STORING)}")
        within &= not cost.exceeds(STORING)
    cost = measured("report", folder)
    print(f"report over both: {_text(cost, REPORT)}")
    return within and not cost.exceeds(REPORT)


def _text(cost: Cost, bound: Cost) -> str:
    memory = f"{cost.peak_rss_bytes / 1e6:.0f} MB at the peak (bound {bound.peak_rss_bytes / 1e6:.0f})"
    return f"{memory}, {cost.seconds:.1f} s" + (f" (bound {bound.seconds:.0f})" if bound is STORING else "")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bounds", description=__doc__)
    parser.add_argument("--tasks", type=int, default=N_TASKS)
    parser.add_argument("step", nargs="*", help="only `store FOLDER STRATEGY TASKS` or `report FOLDER`")
    options = parser.parse_args(arguments)
    if not options.step:
        with tempfile.TemporaryDirectory() as folder:
            return int(not print_costs(options.tasks, Path(folder)))
    step, folder, *words = options.step
    begin = time.perf_counter()
    if step == "store":
        store_trial(Path(folder), words[0], int(words[1]))
    else:
        report(Path(folder))
    print(json.dumps(asdict(Cost(time.perf_counter() - begin, peak_rss_bytes()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
