"""The efficiencies of the POP project, multiplicative model (co-design.pop-coe.eu/metrics), for
processes instead of MPI ranks; and what crosses process borders.

    Global Efficiency   = Parallel Efficiency x Computation Scaling
    Parallel Efficiency = Load Balance x Communication Efficiency
    Load Balance = mean useful / largest useful       Communication Efficiency = largest useful / T
    Computation Scaling = useful of the reference / useful here, in time, the work being the same

Useful computation is time outside the parallel runtime: here the stages of the tasks without `send`,
by the clock, as POP has it: waiting for a CPU or a disk inside a stage counts as useful and lowers
Computation Scaling. The account tells these apart. All ratios: 1.0 is 100 %.
"""

import json
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import pandas as pd

from experiments.analysis.account import per_trial
from experiments.analysis.costs import stays
from experiments.records.schema import OK

SENDING = ("p1", "pq")  # strategies whose master sends pixels through Pool.starmap
CHUNKS = 4  # chunks per process of the pool that `Pool.starmap` makes by default


@dataclass(frozen=True)
class Pop:
    """The efficiencies of one trial."""

    global_efficiency: float
    parallel_efficiency: float
    load_balance: float
    communication_efficiency: float
    computation_scaling: float


def pop(trial: Any, tasks: pd.DataFrame, reference_tasks: pd.DataFrame) -> Pop:
    """Of one trial, its tasks, and those of all repetitions of the sequential reference."""
    useful = _useful(tasks).groupby("process")["useful_s"].sum()
    repetitions = len(reference_tasks[["cell", "repetition"]].drop_duplicates())
    reference_s = float(_useful(reference_tasks)["useful_s"].sum()) / repetitions
    largest, total = float(useful.max()), float(useful.sum())
    balance, communication = total / trial["workers"] / largest, largest / trial["wall_s"]
    scaling = reference_s / total
    return Pop(
        global_efficiency=balance * communication * scaling,
        parallel_efficiency=balance * communication,
        load_balance=balance,
        communication_efficiency=communication,
        computation_scaling=scaling,
    )


def pops(trials: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """The efficiencies of every ok trial in a row, as `accounts` has them."""
    return per_trial(trials, tasks, lambda *of: asdict(pop(*of)))


def _useful(tasks: pd.DataFrame) -> pd.DataFrame:
    each = stays(tasks)
    return each.assign(useful_s=each["busy_s"] - each["send_s"])


def ledger(trials: pd.DataFrame) -> pd.DataFrame:
    """What the master sent, one row per ok trial of SENDING: sent_bytes_per_task, feeder_cpu_s and its
    share of the time, chunk (tasks), images_per_chunk (mean) and image_bytes.

    Pickle stores an image once in a chunk, so bytes per task = images per chunk x image / chunk; and a
    chunk is tasks / (4 pool processes), rounded up: the more workers, the more bytes."""
    sent = trials[(trials["status"] == OK) & trials["strategy"].isin(SENDING)]
    rows = []
    for trial in sent.to_dict("records"):
        processes = trial["workers"] - (0 if pd.isna(trial["savers"]) else int(trial["savers"]))
        asked = json.loads(trial["strategy_options"]).get("chunk", "auto")
        chunk = ceil(trial["tasks"] / (CHUNKS * processes)) if asked == "auto" else int(asked)
        rows.append(
            {name: trial[name] for name in ("saving", "strategy", "workers", "cell", "repetition")}
            | {
                "sent_bytes_per_task": trial["master_sent_bytes"] / trial["tasks"],
                "feeder_cpu_s": trial["master_threads_cpu_s"],
                "feeder_share": trial["master_threads_cpu_s"] / trial["wall_s"],
                "chunk": chunk,
                "images_per_chunk": images_per_chunk(int(trial["tasks"]), trial["n_augmentations"], chunk),
                "image_bytes": 3 * trial["width"] * trial["height"],
            }
        )
    return pd.DataFrame(rows)


def images_per_chunk(tasks: int, n_augmentations: int, chunk: int) -> float:
    """Different images in a chunk of consecutive tasks, in the mean of all chunks."""
    ends = [(first, min(first + chunk, tasks) - 1) for first in range(0, tasks, chunk)]
    images = [last // n_augmentations - first // n_augmentations + 1 for first, last in ends]
    return sum(images) / len(images)
