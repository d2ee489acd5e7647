"""From trials and their tasks to a diagnosis: tables, charts, and what limits each strategy in words."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis.account import KEY, AccountError, accounts
from experiments.analysis.ceilings import in_turns, inflations
from experiments.analysis.pop import ledger, pops
from experiments.analysis.scaling import SEQUENTIAL, newest_comparable, strong
from experiments.analysis.verdict import Verdict, verdicts
from experiments.records.schema import OK
from experiments.report.diagnosis_figures import account_figure, ceilings_figure
from experiments.report.diagnosis_tables import account_table, ledger_table, pop_table, verdict_table
from experiments.report.tables import Table, strategies
from experiments.report.timeline import perfetto, timeline_figure
from experiments.report.transforms import transform_inflations, transform_tables, transforms_figure


@dataclass(frozen=True)
class Diagnosis:
    """Tables, figures and traces by the name of their file; without accounts, only the words why."""

    text: str
    tables: dict[str, list[Table]] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    shown: list[tuple[Any, pd.DataFrame]] = field(default_factory=list)  # a trial of each point, its tasks

    def traces(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The first repetition of every point by the name of its file."""
        for trial, tasks in self.shown:
            name = f"{trial['strategy']}-{trial['workers']}-{'saving' if trial['saving'] else 'no_saving'}"
            yield name, perfetto(tasks, name)


def diagnose(
    trials: pd.DataFrame, tasks: pd.DataFrame, probes: pd.DataFrame, title: str = "Diagnosis"
) -> Diagnosis:
    """What limits each strategy of a strong-scaling sweep, with the probes that ran in its turns.

    Raises NoTrialsError if there are no trials, AccountError where tasks do not fit."""
    workload, note = newest_comparable(trials)
    kept = workload[~in_turns(workload)]
    made = accounts(kept, tasks)
    if made.empty:
        return Diagnosis(
            "No account: no sequential reference with recorded tasks (trace=true) was measured.\n"
        )
    points, found = strong(kept), inflations(workload, tasks, probes)
    order = {name: place for place, name in enumerate(strategies(kept))}
    judged = sorted(verdicts(made, found), key=lambda one: (not one.saving, order[one.strategy], one.workers))
    notes = [line for line in (note, _unaccounted(kept, made)) if line]
    blocks = {
        "diagnosis": [verdict_table(judged, f"{title}: what limits")],
        "account": [account_table(made, f"{title}: account of all worker-seconds")],
        "pop": [pop_table(pops(kept, tasks), points, f"{title}: POP efficiencies")],
    }
    if len(sent := ledger(kept)):
        blocks["ledger"] = [ledger_table(sent, f"{title}: what the master sends")]
    shown = _shown(kept, tasks)
    known, *others = sorted(set(kept["usable_cpus"]))
    cpus = None if others else known
    charts = {
        "account": account_figure(made, f"{title}: where the worker-seconds go"),
        "ceilings": ceilings_figure(points, found, f"{title}: ceilings of this machine", cpus),
        "timeline": timeline_figure(_side_by_side(shown), f"{title}: timeline"),
    }
    if len(each := transform_inflations(kept, tasks)):
        blocks["transforms"] = transform_tables(each, f"{title}: transforms")
        charts["transforms"] = transforms_figure(each, f"{title}: transforms", cpus)
    for table in chain(*blocks.values()):
        table.notes.extend(notes)
    return Diagnosis(_words(judged, notes), blocks, charts, judged, shown)


def diagnosed(trials: pd.DataFrame, tasks: pd.DataFrame, probes: pd.DataFrame, title: str) -> Diagnosis:
    """A diagnosis for a report that stands without one: tasks that do not fit become its words."""
    try:
        return diagnose(trials, tasks, probes, title)
    except AccountError as error:
        return Diagnosis(f"No account: {error}.")


def _words(judged: list[Verdict], notes: list[str]) -> str:
    lines = [one.sentence() for one in judged if one.strategy != SEQUENTIAL]
    return "\n".join([*lines, *(f"Note: {note}." for note in notes)])


def _unaccounted(kept: pd.DataFrame, made: pd.DataFrame) -> str | None:
    """Which ok trials have no account, for want of tasks or of a reference."""
    names = [*KEY, "repetition"]
    ok = kept[kept["status"] == OK]
    left = ok[~ok.set_index(names).index.isin(made.set_index(names).index)]
    if left.empty:
        return None
    points = sorted({f"{row.strategy} at {row.workers}" for row in left.itertuples()})
    return f"no account of {', '.join(points)}: no recorded tasks (trace=true), or no sequential reference"


def _shown(kept: pd.DataFrame, tasks: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    by_trial = dict(list(tasks.groupby(["cell", "repetition"])))
    first = kept[kept["status"] == OK].sort_values("repetition").drop_duplicates(list(KEY)).sort_index()
    keys = zip(first["cell"], first["repetition"], strict=True)
    pairs = zip(first.to_dict("records"), (by_trial.get(key) for key in keys), strict=True)
    return [(trial, own) for trial, own in pairs if own is not None]


def _side_by_side(shown: list[tuple[Any, pd.DataFrame]]) -> list[tuple[Any, pd.DataFrame]]:
    """The strategies at the largest count that the CPUs hold, saving if that was measured."""
    saving = max(trial["saving"] for trial, _ in shown)
    here = [(trial, own) for trial, own in shown if trial["saving"] == saving]
    counts = sorted({trial["workers"] for trial, _ in here if trial["workers"] > 1}) or [1]
    within = [count for count in counts if count <= here[0][0]["usable_cpus"]]
    chosen = max(within, default=counts[0])
    return [(trial, own) for trial, own in here if trial["workers"] == chosen]
