"""What stops each strategy: verdicts, the account of every worker-second, POP's efficiencies, ceilings."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from augment.strategies.instruments.turns import Turns
from augment.strategies.sequential import Sequential
from experiments.analysis.account import accounts
from experiments.analysis.ceilings import inflations
from experiments.analysis.laws import karp_flatt
from experiments.analysis.pop import ledger, pops
from experiments.analysis.scaling import STRONG, NoTrialsError, strategies, strong
from experiments.analysis.select import select
from experiments.analysis.text import label, number, percent, with_interval
from experiments.analysis.verdict import Verdict, verdicts
from experiments.records.schema import OK
from experiments.report.sections import Outputs, Results, cpus_of, section
from experiments.report.sections.account import account_figure, account_table
from experiments.report.sections.ceilings import ceilings_figure
from experiments.report.tables import Table, Texts, point_table

NO_ACCOUNT = "no sequential reference with recorded tasks (trace=true) was measured"
VERDICT_NOTES = (
    "Shares of P x T, all worker-seconds; in parentheses 95 % intervals from resampled repetitions.",
    "Loss: beyond the sequential reference's work. What replicas lose too is the machine's.",
)
MEAN = "Means over the repetitions."
POP_NOTES = (
    "Global = Parallel x Computation Scaling; Parallel = Load Balance x Communication "
    "(co-design.pop-coe.eu/metrics). Useful: the stages of tasks without `send`, by the clock.",
    f"Karp-Flatt: the serial fraction that the speedup implies. {MEAN}",
)
EFFICIENCIES = {
    "global_efficiency": "Global\nEfficiency",
    "parallel_efficiency": "Parallel\nEfficiency",
    "load_balance": "Load\nBalance",
    "communication_efficiency": "Communication\nEfficiency",
    "computation_scaling": "Computation\nScaling",
    "karp_flatt": "Karp-Flatt",
}
LEDGER_NOTE = (
    "Pickle stores an image once in a chunk, and a chunk is tasks / (4 pool processes), rounded up: "
    f"the more workers, the more bytes per task. One thread of the master feeds all. {MEAN}"
)


@section("strong_scaling")
def diagnosis(results: Results) -> Outputs:
    """What limits each strategy, with the probes that ran between the tasks of `turns`.

    Raises AccountError where tasks do not fit their trial."""
    selected, notes = select(results.trials, STRONG)
    trials = selected[selected["strategy"] != Turns.name]
    accounted = accounts(trials, results.parts)
    if accounted.empty:
        raise NoTrialsError(NO_ACCOUNT)
    inflated = inflations(selected, results.parts)
    notes += _unaccounted(trials, accounted)
    points, title = strong(trials), results.title
    place = strategies(trials).index
    judged = verdicts(accounted, inflated)
    judged.sort(key=lambda each: (not each.saving, place(each.strategy), each.workers))
    tables = {
        "diagnosis": verdict_table(judged, f"{title}: what limits"),
        "account": account_table(accounted, f"{title}: account of all worker-seconds"),
        "pop": pop_table(pops(trials, results.parts), points, f"{title}: POP efficiencies"),
    }
    if len(sent := ledger(trials)):
        tables["ledger"] = ledger_table(sent, f"{title}: what the master sends")
    for stem, table in tables.items():
        table.notes.extend(notes)
        yield stem, [table]
    yield "account", account_figure(accounted, f"{title}: where the worker-seconds go")
    parallel = points[(points["strategy"] != Sequential.name) & points["efficiency"].notna()]
    if len(parallel):
        heading, cpus = f"{title}: ceilings of this machine", cpus_of(trials)
        yield "ceilings", ceilings_figure(parallel, inflated, heading, cpus)


def _unaccounted(trials: pd.DataFrame, accounted: pd.DataFrame) -> list[str]:
    """Which measured points have no account, for want of tasks or of a reference."""
    ok, with_account = (
        pd.MultiIndex.from_frame(frame[[*STRONG]]) for frame in (trials[trials["status"] == OK], accounted)
    )
    points = sorted({f"{label(name)} at {workers}" for _, name, workers in ok.difference(with_account)})
    return [f"No account of {', '.join(points)}: no recorded tasks, or {NO_ACCOUNT}."] if points else []


def verdict_table(judged: Sequence[Verdict], title: str) -> Table:
    """What limits each strategy at each count, and below in words on which evidence, and what to do."""
    columns: Texts = {
        "limited by": lambda row: str(row["cause"]),
        "share (%)": lambda row: with_interval(
            100 * row["share"], 100 * row["low"], 100 * row["high"], "z.0f"
        ),
        "loss": _share("loss"),
        "replicas' loss": _share("machine_loss"),
        "the losses in order": lambda row: str(row["order"]),
    }
    words = [verdict.sentence() for verdict in judged if verdict.strategy != Sequential.name]
    rows = pd.DataFrame([asdict(verdict) for verdict in judged])
    return point_table(title, rows, columns, [*VERDICT_NOTES, *words])


def pop_table(pops: pd.DataFrame, points: pd.DataFrame, title: str) -> Table:
    """The efficiencies in POP's terms, and the serial fraction of Karp and Flatt of the `points` of
    `strong`."""
    several = points[points["workers"] > 1]
    serial = several[list(STRONG)].assign(karp_flatt=karp_flatt(several["speedup"], several["workers"]))
    data = _means(pops).merge(serial, how="left", on=list(STRONG))
    return point_table(title, data, {head: _share(name) for name, head in EFFICIENCIES.items()}, POP_NOTES)


def ledger_table(ledger: pd.DataFrame, title: str) -> Table:
    """What crosses process borders from the master, and how busy that keeps its feeder."""
    columns: Texts = {
        "MB per task": lambda row: number(row["sent_bytes_per_task"] / 1e6, ".3g"),
        "MB per image": lambda row: number(row["image_bytes"] / 1e6, ".3g"),
        "chunk\ntasks": lambda row: f"{row['chunk']:.0f}",
        "chunk\nimages": lambda row: number(row["images_per_chunk"], ".3g"),
        "feeder\nCPU (s)": lambda row: number(row["feeder_cpu_s"], ".3g"),
        "feeder\nof T": _share("feeder_share"),
    }
    return point_table(title, _means(ledger), columns, [LEDGER_NOTE], ledger)


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(list(STRONG), as_index=False).mean(numeric_only=True)


def _share(name: str) -> Callable[[Any], str]:
    return lambda row: percent(row[name], 1)
