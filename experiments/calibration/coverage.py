"""The coverage of every interval that the suite prints, on simulated machines whose truth is known.

`python -m experiments.calibration.coverage` gives the suite's own functions the trials of machines that
drift, and counts how often an interval holds the truth. It prints the table of docs/evidence.md, and ends
with status 1 if an interval holds it less often than 93 in 100 times, by more than chance.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, product
from math import exp, log
from multiprocessing import Pool
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from tabulate import tabulate
from tqdm import tqdm

from augment.strategies.instruments.interference import IDLE, NEIGHBOURS, ROUNDS, Interference
from experiments.advise.search import Question
from experiments.analysis.compare import changes, changes_in_turns
from experiments.analysis.interference import slowdowns
from experiments.analysis.occasions import UNSEEN
from experiments.analysis.recommendation import predict_rate
from experiments.analysis.statistics import Array, BlockModel, Interval, best_set, time_saved
from experiments.analysis.verdict import NOT_DECIDED, decide
from experiments.calibration.drifting_machine import PAUSE_S, TRIAL_S, DriftingMachine, Scenario
from experiments.calibration.simulated_rows import SimulatedParts, shared
from experiments.report.texts import percent
from experiments.store.columns import OK
from experiments.store.files import DetailReader

Held = Mapping[str, bool]  # by the name of an interval: whether it holds the truth
CELLS = 7
MOST_ROUNDS = 60  # to decide a loss: more are not tried
TASK_S, WHOLE_TASKS, WORKERS = 0.05, 6000, 2
SEARCH = ((20.0, 1.0), (50, 1), (65, 1), (85, 1), (105, 1), (115, 35))  # begins, seconds
CHUNKS = 10  # of the simulations of a line, which processes share
HEADS = ["interval", "simulated machine", "holds the truth (95 % limits)", "as it should"]
WANTED, DECIDED = (0.93, 0.98), (0.75, 0.85)
TO_DECIDE = "about n rounds in all would decide: they do"
AT_LEAST = "at least 95 %"  # a bound on many things at once holds more often


def holds(interval: Interval, truth: float) -> bool:
    """Return whether an interval holds the truth."""
    return bool(interval.low <= truth <= interval.high)


def sweep(machine: DriftingMachine) -> Held:
    """Measure cells that differ by a few per cent; cell 0 is the baseline, 2 the ceiling."""
    logs = 0.05 * machine.random.normal(size=CELLS)
    trials = machine.sweep(machine.scenario.rounds, a=logs)
    model = BlockModel.of(trials, list(trials["cell"]))
    saved = time_saved(model, 1, {str(cell): cell for cell in range(3, CELLS)})
    bounds = best_set(model, range(1, CELLS))
    best = min(bounds, key=lambda cell: bounds[cell])
    now = logs[1] + trials["level"].mean()
    return {
        "speedup, efficiency": holds(model.log_ratio(0, 1).interval(), logs[0] - logs[1]),
        "share of the ceiling, loss": holds(model.log_ratio(2, 1).interval(), logs[2] - logs[1]),
        "seconds, images per second: in these minutes": holds(model.log_seconds(1).interval(), now),
        "time saved by each of four policies (Holm)": all(
            holds(saved[str(cell)], 1 - exp(logs[cell] - logs[1])) for cell in range(3, CELLS)
        ),
        f"at most x % slower than the best: {AT_LEAST}": bool(
            logs[best] - min(logs[1:]) <= log(1 + bounds[best])
        ),
    }


def two_folders(machine: DriftingMachine) -> Held:
    """Measure the same cells in two folders, one after the other."""
    logs, sides = 0.05 * machine.random.normal(size=(2, CELLS)), []
    for side, of_side in zip("ab", logs, strict=True):
        sides.append(machine.sweep(machine.scenario.rounds, **{side: of_side}))
        machine.rest()
    _, found = changes(pd.concat(sides, ignore_index=True))
    return {"compare A B": holds(found[1].interval(), logs[1, 1] - logs[0, 1])}


def in_turns(machine: DriftingMachine) -> Held:
    """Measure two commits in turns."""
    a, b = 0.05 * machine.random.normal(size=(2, CELLS))
    _, found = changes_in_turns(machine.sweep(machine.scenario.rounds, a=a, b=b))
    return {"compare A B --interleaved": holds(found[1].interval(), b[1] - a[1])}


def neighbours(machine: DriftingMachine) -> Held:
    """Run short turns beside neighbours, in trials of ROUNDS rounds."""
    logs = {name: machine.random.uniform(0, 0.3) * (name != IDLE) for name in NEIGHBOURS}
    turns = [
        (trial, number, str(name), exp(logs[name] + machine.level(PAUSE_S) + machine.noise()))
        for trial, number in product(range(machine.scenario.rounds), range(ROUNDS))
        for name in machine.random.permutation([IDLE, *NEIGHBOURS])
    ]
    measured = pd.DataFrame(turns, columns=["trial_id", "round", "neighbour", "wall_s"])
    trials = pd.DataFrame(
        {"trial_id": measured["trial_id"].unique(), "status": OK, "workers": 2, "saving": True}
    )
    found = slowdowns(trials.assign(strategy=Interference.name), _Turns(measured))
    one: Any = found.iloc[0]
    interval = Interval(one["slowdown"], one["low"], one["high"])
    return {"slowdown beside neighbours": holds(interval, exp(logs[one["neighbour"]]))}


class _Turns(DetailReader):
    def __init__(self, turns: pd.DataFrame) -> None:
        self._turns = turns

    def of(self, table: str, trial_id: Any, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the turns of a trial."""
        return self._turns.query("trial_id == @trial_id")


def promise(machine: DriftingMachine) -> Held:
    """Search for two and a half minutes, and carry the whole out later."""
    photos, random = machine.scenario.photos, machine.random
    question = Question([], photos, 2e6, WHOLE_TASKS // photos, WORKERS, 180.0)
    photos_s = TASK_S * np.exp(0.4 * np.sort(random.normal(size=photos)) + 0.2 * random.normal(size=photos))
    parts, rows, seed = SimulatedParts(), [], int(random.integers(2**32))

    def tasks_s(sample: Any, augmentations: int, seconds: float) -> Any:
        """Return the seconds of tasks, which are the same in every trial but for the machine."""
        size = len(sample), augmentations
        error = machine.level(seconds) + machine.noise() * (TRIAL_S / seconds) ** 0.25
        return photos_s[sample][:, np.newaxis] * np.random.default_rng([seed, *size]).gamma(
            4, exp(error) / 4, size
        )

    for number, (begin_s, seconds) in enumerate(SEARCH):
        machine.now_s = begin_s
        images, augmentations = question.sample(seconds * WORKERS / TASK_S)
        sample = ((np.arange(images) + 0.5) * photos / images).astype(int)
        tasks = shared(tasks_s(sample, augmentations, seconds), np.zeros(WORKERS))
        parts.tasks[str(number)] = tasks
        rows.append((str(number), tasks["end_s"].max(), images * augmentations, images))
    trials = pd.DataFrame(rows, columns=["trial_id", "wall_s", "tasks", "n_images"])
    n_tasks = WHOLE_TASKS // photos * photos
    promised = predict_rate(trials, parts, {"tasks": n_tasks, "files": photos}, UNSEEN)
    machine.rest()
    run_s = tasks_s(np.arange(photos), n_tasks // photos, n_tasks * TASK_S / WORKERS).sum() / WORKERS
    return {"images per second, time of the whole: by advise": holds(promised, n_tasks / run_s)}


def rounds_to_decide(machine: DriftingMachine) -> Held:
    """Measure losses until one is not decided, and then as many rounds as would decide it."""
    said, rounds = "", 0.0
    while said != NOT_DECIDED or not rounds <= MOST_ROUNDS:
        logs = np.zeros(CELLS)
        logs[2] = log(1 - machine.random.uniform(0, 0.2))
        said, rounds = _verdict(machine, logs, machine.scenario.rounds)
    return {TO_DECIDE: _verdict(machine, logs, int(rounds))[0] != NOT_DECIDED}


def _verdict(machine: DriftingMachine, logs: Array, rounds: int) -> tuple[str, float]:
    trials = machine.sweep(rounds, a=logs)
    loss = BlockModel.of(trials, list(trials["cell"])).log_ratio(2, 1).exp().complement()
    return decide(loss, rounds)


DRIFTS = [
    Scenario(f"memory {memory_s} s, {rounds} rounds", rounds, memory_s)
    for memory_s, rounds in ((10, 2), (30, 3), (100, 5), (300, 2))
]
NOISY = [
    Scenario(f"one cell 4 x as noisy, {rounds} rounds", rounds, noisy=4.0, least=least)
    for rounds, least in ((2, 0.88), (3, 0.9), (5, WANTED[0]))
]
OTHER_DAY = [
    Scenario(f"occasions 5 %, {photos} photos", occasions=0.05, photos=photos) for photos in (6, 500)
]
SEARCHES = [
    Scenario(f"memory {memory_s} s, {photos} photos", memory_s=memory_s, photos=photos)
    for memory_s, photos in ((30, 6), (300, 6), (100, 500))
]
SIMULATIONS: list[tuple[Callable[[DriftingMachine], Held], Sequence[Scenario]]] = [
    (sweep, [*DRIFTS, *NOISY]),
    (two_folders, [*DRIFTS[::2], NOISY[1], Scenario("occasions 5 %, 3 rounds", occasions=0.05)]),
    (in_turns, [*DRIFTS, NOISY[1]]),
    (neighbours, DRIFTS[:2]),
    (promise, [*SEARCHES, *OTHER_DAY]),
    (rounds_to_decide, DRIFTS[:3]),
]


def count(work: tuple[Callable[[DriftingMachine], Held], Scenario, Sequence[int]]) -> Counter[str]:
    """Return how often each interval holds in simulations of a scenario with these seeds."""
    simulate, scenario, seeds = work
    held = Counter[str]()
    for seed in seeds:
        for name, is_held in simulate(DriftingMachine(scenario, np.random.default_rng(seed))).items():
            held[name] += is_held
    return held


def row(name: str, scenario: Scenario, held: int, simulations: int) -> tuple[list[str], bool]:
    """Return a row of the table, with the limits of Clopper and Pearson, and whether it is as said."""
    limits = stats.binomtest(held, simulations).proportion_ci(method="exact")
    least, most = DECIDED if name == TO_DECIDE else (scenario.least, WANTED[1])
    is_low, is_high = limits.high < least, limits.low > most
    wanted = f"{percent(least)} to {percent(most)}"
    verdict = f"less than {percent(least)}" if is_low else f"more than {percent(most)}" if is_high else wanted
    shares = (percent(share, 1) for share in (held / simulations, limits.low, limits.high))
    return [name, scenario.words, "{} ({} – {})".format(*shares), verdict], not is_low


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=2000, help="how many of each line")
    parser.add_argument("--processes", type=int, default=2, help="that simulate")
    chosen = parser.parse_args()
    lines = [(simulate, scenario) for simulate, scenarios in SIMULATIONS for scenario in scenarios]
    work = [(*line, range(first, chosen.simulations, CHUNKS)) for line in lines for first in range(CHUNKS)]
    with Pool(chosen.processes) as pool:
        counts = [*tqdm(pool.imap(count, work), total=len(work), disable=not sys.stderr.isatty())]
    rows: dict[str, list[tuple[list[str], bool]]] = {}
    for number, (_, scenario) in enumerate(lines):
        held = Counter[str]()
        for each in counts[number * CHUNKS : (number + 1) * CHUNKS]:
            held.update(each)
        for name in held:
            rows.setdefault(name, []).append(row(name, scenario, held[name], chosen.simulations))
    texts, are_as_said = zip(*chain(*rows.values()), strict=True)
    print(tabulate(texts, HEADS, tablefmt="github", disable_numparse=True))
    return int(not all(are_as_said))


if __name__ == "__main__":
    sys.exit(main())
