"""The account, the POP metrics, the ledger and the verdicts as tables."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from experiments.analysis.account import KEY, PARTS
from experiments.analysis.laws import karp_flatt
from experiments.analysis.verdict import Verdict
from experiments.report.tables import DASH, Table, label, strategies

Shown = dict[tuple[str, str], Callable[[Any], str]]  # group and name of a column: text of a row
MEAN = "Means over the repetitions."


def verdict_table(found: Sequence[Verdict], title: str) -> Table:
    """What limits each strategy at each count; the evidence and the advice are in `data` and in words
    in the report."""
    columns: Shown = {
        ("", "limited by"): lambda row: str(row["cause"]),
        ("", "share"): _interval,
        ("", "loss"): lambda row: _percent(row["loss"]),
        ("", "replicas' loss"): lambda row: _percent(row["machine_loss"]),
        ("", "the losses in order"): lambda row: str(row["order"]),
    }
    notes = [
        "Shares of P x T, all worker-seconds; in parentheses 95 % intervals from resampled repetitions.",
        "Loss: beyond the sequential reference's work. What replicas lose too is the machine's.",
    ]
    return _table(title, pd.DataFrame([asdict(one) for one in found]), columns, notes)


def account_table(accounts: pd.DataFrame, title: str) -> Table:
    """The parts of P x T in per cent, and the page faults per task beside them."""
    heads = {
        "reference_s": ("", "reference"),
        **{f"extra_{name}_s": ("extra", name) for name in ("user", "system", "wait", "blocked")},
        "imbalance_s": ("", "imbalance"),
        **{f"{name}_s": ("coordination", name) for name in ("startup", "gaps", "drain")},
    }
    columns: Shown = {("", "P x T (s)"): lambda row: f"{row['total_s']:.2f}"}
    columns |= {heads[part]: _share_of_total(part) for part in PARTS}
    columns |= {
        ("of extra user", "reading"): _share_of_total("extra_reading_s"),
        ("", "page faults"): lambda row: f"{row['faults']:,.0f}",
        ("", "reference's"): lambda row: f"{row['reference_faults']:,.0f}",
    }
    notes = [f"In per cent of P x T, to which the parts sum. Faults: of the whole trial. {MEAN}"]
    if not accounts["wait_known"].all():
        notes.append("Run-queue wait was not recorded everywhere: where it was not, it counts as blocked.")
    return _table(title, _means(accounts), columns, notes, accounts)


def pop_table(pops: pd.DataFrame, points: pd.DataFrame, title: str) -> Table:
    """The efficiencies in POP's terms, and the serial fraction of Karp and Flatt of the `points` of
    `strong`."""
    efficiencies = {
        "global_efficiency": "Global Efficiency",
        "parallel_efficiency": "Parallel Efficiency",
        "load_balance": "Load Balance",
        "communication_efficiency": "Communication Efficiency",
        "computation_scaling": "Computation Scaling",
    }
    beyond_one = points[points["workers"] > 1]
    serial = beyond_one[list(KEY)].assign(karp_flatt=karp_flatt(beyond_one["speedup"], beyond_one["workers"]))
    data = _means(pops).merge(serial, how="left", on=list(KEY))
    columns: Shown = {("", head): _percent_of(name) for name, head in efficiencies.items()}
    columns[("", "Karp-Flatt")] = _percent_of("karp_flatt")
    notes = [
        "Global = Parallel x Computation Scaling; Parallel = Load Balance x Communication "
        "(co-design.pop-coe.eu/metrics). Useful: the stages of tasks without `send`, by the clock.",
        f"Karp-Flatt: the serial fraction that the speedup implies. {MEAN}",
    ]
    return _table(title, data, columns, notes)


def ledger_table(ledger: pd.DataFrame, title: str) -> Table:
    """What crosses process borders from the master, and how busy that keeps its feeder."""
    columns: Shown = {
        ("", "MB per task"): lambda row: _number(row["sent_bytes_per_task"] / 1e6),
        ("", "MB per image"): lambda row: _number(row["image_bytes"] / 1e6),
        ("chunk", "tasks"): lambda row: f"{row['chunk']:.0f}",
        ("chunk", "images"): lambda row: _number(row["images_per_chunk"]),
        ("feeder", "CPU (s)"): lambda row: _number(row["feeder_cpu_s"]),
        ("feeder", "of T"): _percent_of("feeder_share"),
    }
    notes = [
        "Pickle stores an image once in a chunk, and a chunk is tasks / (4 pool processes), rounded up: "
        f"the more workers, the more bytes per task. One thread of the master feeds all. {MEAN}"
    ]
    return _table(title, _means(ledger), columns, notes, ledger)


def _table(
    title: str, rows: pd.DataFrame, columns: Shown, notes: list[str], data: pd.DataFrame | None = None
) -> Table:
    """A row per point, in the study's order of strategies, the sequential reference first."""
    order = {name: place for place, name in enumerate(strategies(rows))}
    key = [("", "saving"), ("", "strategy"), ("", "workers")]
    sort = rows.assign(place=rows["strategy"].map(order)).sort_values(
        ["saving", "place", "workers"], ascending=[False, True, True]
    )
    cells = [
        ["yes" if row["saving"] else "no", label(row["strategy"]), str(row["workers"])]
        + [show(row) for show in columns.values()]
        for row in sort.to_dict("records")
    ]
    return Table(title, [*key, *columns], cells, rows if data is None else data, notes)


def _means(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(list(KEY), as_index=False).mean(numeric_only=True)


def _share_of_total(part: str) -> Callable[[Any], str]:
    return lambda row: _percent(row[part] / row["total_s"])


def _percent_of(name: str) -> Callable[[Any], str]:
    return lambda row: _percent(row[name])


def _percent(share: float) -> str:
    return DASH if pd.isna(share) else f"{100 * share:.1f} %"


def _number(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:.3g}"


def _interval(row: Any) -> str:
    if pd.isna(row["low"]):
        return f"{100 * row['share']:.0f} %"
    return f"{100 * row['share']:.0f} % ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
