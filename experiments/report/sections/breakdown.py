"""The time breakdown of P x T worker-seconds."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.analysis.breakdown import PARTS, breakdowns
from experiments.analysis.select import STRONG, NoTrialsError
from experiments.report.charts import Chart, panels, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import Columns, Table, by_place, by_saving, text_table
from experiments.report.texts import label, percent
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
BREAKDOWN_NOTE = (
    "Shares of P x T, which sum to 100 %; means over the repetitions. Large shares are suspects, not proofs. "
    "Residual: time in tasks without CPU, run-queue wait or steal, such as waits for a disk or a lock."
)


@section(
    "strong_scaling",
    "diagnose",
    chapter="Where the time goes",
    words="All P x T worker-seconds, split without remainder. Large parts are suspects; a policy that "
    "removes a cause in the same rounds proves it.",
    order=50,
)
def breakdown(results: Results) -> Outputs:
    """Yield the breakdowns of the cells with no policy changed."""
    trials, notes = results.one_workload
    split = breakdowns(trials[trials["ablation"] == UNTOUCHED], results.parts)
    if split.empty:
        raise NoTrialsError("no sequential reference with recorded tasks (trace=true) was measured")
    yield "breakdown", breakdown_table(split, f"{results.title}: time breakdown", [BREAKDOWN_NOTE, *notes])
    yield "breakdown", Chart(breakdown_figure(split, f"{results.title}: where the worker-seconds go"), split)


def breakdown_table(split: pd.DataFrame, title: str, notes: list[str]) -> Table:
    """Return the parts of P x T in per cent."""
    means = split.groupby(list(STRONG), as_index=False).mean(numeric_only=True)
    columns: Columns = {
        "P x T (s)": lambda row: f"{row['total_s']:.2f}",
        **{LOOKS[part][0]: _share(part) for part in PARTS},
        "page faults": lambda row: f"{row['faults']:,.0f}",
    }
    return text_table(title, by_place(means), STRONG, columns, notes)


def _share(name: str) -> Any:
    return lambda row: percent(row[name] / row["total_s"], 1)


@styled
def breakdown_figure(split: pd.DataFrame, title: str) -> Figure:
    """Draw a stacked bar per strategy and worker count: mean shares of P x T in per cent.

    A part that took less than in the reference lies below zero.
    """
    blocks = dict(by_saving(split))
    bars = max(block.groupby(["strategy", "workers"]).ngroups for block in blocks.values())
    size = max(6.4, 2.2 + 0.42 * bars), 1.1 + 3.0 * len(blocks)
    figure, column = panels(title, size, len(blocks), 1)
    colors: Any = [LOOKS[part][2] for part in PARTS]
    for axes, (flag, block) in zip(column, blocks.items(), strict=True):
        means = by_place(block.groupby(list(STRONG), as_index=False)[["total_s", *PARTS]].mean())
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
