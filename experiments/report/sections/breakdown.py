"""Where every worker-second of P x T went, and POP's efficiencies."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.analysis.breakdown import PARTS, breakdowns
from experiments.analysis.pop import EFFICIENCIES, pop
from experiments.analysis.scaling import STRONG, NoTrialsError
from experiments.analysis.text import label, percent
from experiments.report.charts import Chart, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Table, Texts, by_place, by_saving, point_table
from experiments.store.columns import UNTOUCHED

LOOKS = {  # part: head of its column, name in the legend, colour
    "reference_s": ("reference", "reference work", "#C8C8C8"),
    "extra_user_s": ("extra\nuser", "extra user CPU", "#D55E00"),
    "extra_system_s": ("extra\nsystem", "extra system CPU", "#E69F00"),
    "extra_wait_s": ("extra\nwait", "run-queue wait", "#CC79A7"),
    "others_s": ("other\nprocesses", "other processes' CPU", "#882255"),
    "extra_blocked_s": ("extra\nresidual", "residual in tasks", "#009E73"),
    "steal_s": ("steal", "steal", "#117733"),
    "imbalance_s": ("load\nimbalance", "load imbalance", "#333333"),
    "startup_s": ("start-up", "start-up", "#004A75"),
    "gaps_s": ("gaps", "gaps between tasks", "#0072B2"),
    "drain_s": ("drain", "drain", "#7FC4EE"),
}
RANKS = (
    "Shares of P x T, to which the parts sum; means over the repetitions. A ranking of suspects: it proves "
    "nothing. Residual: time in tasks that is neither CPU nor run-queue wait nor steal (disk, locks, sleep)."
)
POP = (
    "Global = Parallel x Computation Scaling; Parallel = Load Balance x Communication "
    "(co-design.pop-coe.eu/metrics). Useful: the stages of tasks without `send`. Means over the repetitions."
)


@section(
    "strong_scaling",
    "diagnosis",
    chapter="Where the time goes",
    words="All P x T worker-seconds, split without remainder. It ranks suspects; a policy that removes a "
    "cause in the same rounds proves it.",
    order=50,
)
def breakdown(results: Results) -> Outputs:
    """Of the cells in which no policy was changed."""
    trials, notes = results.one_workload
    trials = trials[trials["ablation"] == UNTOUCHED]
    split = breakdowns(trials, results.parts)
    if split.empty:
        raise NoTrialsError("no sequential reference with recorded tasks (trace=true) was measured")
    yield "breakdown", [breakdown_table(split, f"{results.title}: time breakdown", [RANKS, *notes])]
    yield "breakdown", Chart(breakdown_figure(split, f"{results.title}: where the worker-seconds go"), split)
    yield "pop", [pop_table(split, f"{results.title}: POP efficiencies")]


def breakdown_table(split: pd.DataFrame, title: str, notes: list[str]) -> Table:
    """The parts of P x T in per cent."""
    columns: Texts = {
        "P x T (s)": lambda row: f"{row['total_s']:.2f}",
        **{LOOKS[part][0]: _share(part) for part in PARTS},
        "page faults": lambda row: f"{row['faults']:,.0f}",
    }
    means = split.groupby(list(STRONG), as_index=False).mean(numeric_only=True)
    return point_table(title, means, columns, notes, split)


def _share(part: str, of: str = "total_s") -> Callable[[Any], str]:
    return lambda row: percent(row[part] / (row[of] if of else 1), 1)


def pop_table(split: pd.DataFrame, title: str) -> Table:
    """The efficiencies in POP's terms."""
    columns = {head: _share(name, "") for name, head in EFFICIENCIES.items()}
    return point_table(title, pop(split), columns, [POP])


@styled
def breakdown_figure(split: pd.DataFrame, title: str) -> Figure:
    """A stacked bar per strategy and worker count: what P x T went into, in per cent; the mean of the
    repetitions. What the tasks took less than in the reference lies below zero."""
    blocks = dict(by_saving(split))
    bars = max(block.groupby(["strategy", "workers"]).ngroups for block in blocks.values())
    size = max(6.4, 2.2 + 0.42 * bars), 1.1 + 3.0 * len(blocks)
    figure, column = panels(title, size, len(blocks), 1)
    colors: Any = [LOOKS[part][2] for part in PARTS]
    for axes, (flag, block) in zip(column, blocks.items(), strict=True):
        means = by_place(block.groupby(["strategy", "workers"], as_index=False)[["total_s", *PARTS]].mean())
        shares = 100 * means[list(PARTS)].div(means["total_s"], axis=0)
        shares.index = pd.Index(means["strategy"].map(label) + ", " + means["workers"].astype(str))
        shares.plot.bar(stacked=True, ax=axes, color=colors, width=0.8, legend=False)
        axes.set(title=flag, ylabel="share of P x T (%)", xlabel="")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.grid(False, axis="x")
        axes.set_axisbelow(True)
    column[-1].set_xlabel("strategy, workers")
    handles = [Patch(color=color, label=name) for _, name, color in LOOKS.values()]
    figure.legend(handles=handles, loc="outside right center", frameon=False, reverse=True)
    return figure
