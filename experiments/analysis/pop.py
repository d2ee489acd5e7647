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
from typing import Any

import numpy as np
import pandas as pd

from augment.strategies import STRATEGIES
from augment.strategies.pool import default_chunk
from experiments.analysis.account import with_reference
from experiments.analysis.costs import COLUMNS, stays
from experiments.analysis.scaling import STRONG
from experiments.records.schema import OK
from experiments.records.store import Parts


def pops(trials: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """The efficiencies of every ok trial in a row, of those that `accounts` has."""
    rows = []
    for block, sequential in with_reference(trials, parts):
        reference_s = float(np.mean([useful_s(trial, parts).sum() for trial in sequential]))
        for trial in block:
            useful = useful_s(trial, parts)
            balance = useful.sum() / trial["workers"] / useful.max()
            communication = useful.max() / trial["wall_s"]
            scaling = reference_s / useful.sum()
            rows.append(
                {name: trial[name] for name in (*STRONG, "trial_id")}
                | {
                    "global_efficiency": balance * communication * scaling,
                    "parallel_efficiency": balance * communication,
                    "load_balance": balance,
                    "communication_efficiency": communication,
                    "computation_scaling": scaling,
                }
            )
    return pd.DataFrame(rows)


def useful_s(trial: Any, parts: Parts) -> "pd.Series[float]":
    """Seconds that each process of a trial computed: its tasks without `send`."""
    each = stays(parts.of("tasks", trial["trial_id"], COLUMNS))
    return (each["busy_s"] - each["send_s"]).groupby(each["process"]).sum()


def ledger(trials: pd.DataFrame) -> pd.DataFrame:
    """What the master sent, one row per ok trial of a strategy that sends pixels: sent_bytes_per_task,
    feeder_cpu_s and its share of the time, chunk (tasks), images_per_chunk (mean) and image_bytes.

    Pickle stores an image once in a chunk, so bytes per task = images per chunk x image / chunk."""
    sending = [name for name, kind in STRATEGIES.items() if kind.sends_pixels]
    sent = trials[(trials["status"] == OK) & trials["strategy"].isin(sending)]
    rows = []
    for trial in sent.to_dict("records"):
        processes = trial["workers"] - (0 if pd.isna(trial["savers"]) else int(trial["savers"]))
        asked = json.loads(trial["strategy_options"]).get("chunk")
        chunk = asked or default_chunk(trial["tasks"], processes)
        rows.append(
            {name: trial[name] for name in (*STRONG, "trial_id")}
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
    first = np.arange(0, tasks, chunk)
    last = np.minimum(first + chunk, tasks) - 1
    return float((last // n_augmentations - first // n_augmentations + 1).mean())
