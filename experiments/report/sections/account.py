"""Where every worker-second of P x T went, as a table and as a chart; `diagnosis` shows both."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.analysis.account import PARTS
from experiments.analysis.scaling import STRONG, strategies
from experiments.analysis.text import label, percent
from experiments.report.style import panels, styled
from experiments.report.tables import Table, Texts, by_saving, point_table

PART_LOOKS = {  # head of its column, name in the legend, colour: of coordination shades of one
    "reference_s": ("reference", "reference work", "#C8C8C8"),
    "extra_user_s": ("extra\nuser", "extra user CPU", "#D55E00"),
    "extra_system_s": ("extra\nsystem", "extra system CPU", "#E69F00"),
    "extra_wait_s": ("extra\nwait", "run-queue wait", "#CC79A7"),
    "extra_blocked_s": ("extra\nblocked", "blocked in tasks", "#009E73"),
    "imbalance_s": ("imbalance", "load imbalance", "#333333"),
    "startup_s": ("coordination\nstart-up", "start-up", "#004A75"),
    "gaps_s": ("coordination\ngaps", "gaps between tasks", "#0072B2"),
    "drain_s": ("coordination\ndrain", "drain", "#7FC4EE"),
}
SUMS = "Shares of P x T, to which the parts sum. Faults: of the whole trial. Means over the repetitions."
NO_WAIT = "Run-queue wait was not recorded everywhere: where it was not, it counts as blocked."


def account_table(accounts: pd.DataFrame, title: str) -> Table:
    """The parts of P x T in per cent, and the page faults of the trial beside them."""
    columns: Texts = {
        "P x T (s)": lambda row: f"{row['total_s']:.2f}",
        **{PART_LOOKS[part][0]: _share(part) for part in PARTS},
        "of extra user\nreading": _share("extra_reading_s"),
        "page faults": lambda row: f"{row['faults']:,.0f}",
        "reference's\npage faults": lambda row: f"{row['reference_faults']:,.0f}",
    }
    notes = [SUMS] if accounts["wait_known"].all() else [SUMS, NO_WAIT]
    means = accounts.groupby(list(STRONG), as_index=False).mean(numeric_only=True)
    return point_table(title, means, columns, notes, accounts)


def _share(part: str) -> Callable[[Any], str]:
    return lambda row: percent(row[part] / row["total_s"], 1)


@styled
def account_figure(accounts: pd.DataFrame, title: str) -> Figure:
    """A stacked bar per worker count and strategy: what P x T went into, in per cent; the mean of the
    repetitions. What the tasks took less than in the reference lies below zero."""
    blocks = dict(by_saving(accounts))
    bars = max(block.groupby(["strategy", "workers"]).ngroups for block in blocks.values())
    size = max(6.4, 2.2 + 0.42 * bars), 0.9 + 3.2 * len(blocks)
    figure, column = panels(title, size, len(blocks), 1, sharey=True)
    for axes, (flag, block) in zip(column, blocks.items(), strict=True):
        axes.set_title(flag, fontsize=10)
        axes.set_ylabel("share of P x T (%)")
        _stacks(axes, block)
    column[-1].set_xlabel("workers, by strategy", labelpad=26)
    handles = [Patch(color=color, label=name) for _, name, color in PART_LOOKS.values()]
    figure.legend(handles=handles, loc="outside right center", frameon=False, reverse=True)
    return figure


def _stacks(axes: Axes, accounts: pd.DataFrame) -> None:
    """The bars of each strategy side by side, negative shares below zero, and a gap before the next."""
    at, ticks, names, colors = 0.0, [], [], [PART_LOOKS[part][2] for part in PARTS]
    for strategy in strategies(accounts):
        begin = at
        block = accounts[accounts["strategy"] == strategy].groupby("workers")[["total_s", *PARTS]].mean()
        for workers, row in block.iterrows():
            shares = 100 * row[list(PARTS)] / row["total_s"]
            for side in (shares.clip(lower=0), shares.clip(upper=0)):
                feet = side.cumsum() - side
                axes.bar([at] * len(PARTS), side, 0.8, bottom=feet, color=colors, linewidth=0)
            ticks.append(at)
            names.append(str(workers))
            at += 1
        middle, foot = (begin + at - 1) / 2, axes.get_xaxis_transform()
        axes.text(middle, -0.1, label(strategy), transform=foot, ha="center", va="top")
        at += 0.7
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(ticks, names)
    axes.set_xlim(-0.7, at - 1.0)
    axes.tick_params(axis="x", length=0)
    axes.grid(False, axis="x")
    axes.set_axisbelow(True)
