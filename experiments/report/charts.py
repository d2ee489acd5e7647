"""The parts that all charts share: looks of strategies, curves, axes, legends and files.

Figures are drawn without pyplot, so they have no global state and need no display.
"""

from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, NullLocator, PercentFormatter
from matplotlib.transforms import Bbox

from experiments.analysis.scaling import strategies
from experiments.analysis.statistics import interval_columns
from experiments.report.tables import MEASURES
from experiments.report.texts import label

LOOKS = {  # colours of Okabe and Ito and of Tol, and markers; a strategy without an entry is grey
    "sequential": ("#000000", "D"),
    "p1": ("#0072B2", "o"),
    "pq": ("#D55E00", "s"),
    "p2": ("#009E73", "^"),
    "dynamic": ("#CC79A7", "*"),
    "threads": ("#E69F00", "p"),
    "futures": ("#762A83", "<"),
    "loky": ("#999933", ">"),
    "dataloader": ("#882255", "d"),
    "dask": ("#44AA99", "H"),
    "ray": ("#DDAA33", "X"),
    "copies": ("#8C510A", "P"),
}
GREY = "#777777"
STYLE: Any = {
    **{"font.size": 10, "savefig.dpi": 200, "axes.grid": True, "grid.alpha": 0.3},
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "svg.hashsalt": "experiments",  # equal points give equal bytes
}
styled = mpl.rc_context(STYLE)  # a decorator of functions that draw
CAPTION_LETTERS_PER_INCH = 16
MIN_WIDTH_INCHES = 4.8  # holds one panel with two columns of legend below it
IDEAL, CEILING, CPUS, SINGLE = "ideal", "machine's ceiling", "CPUs", "no interval"
PUBLISHED = "published (2 x Xeon Silver 4314)"
LAST_IN_LEGEND = [IDEAL, CEILING, CPUS, SINGLE, PUBLISHED]


def look(strategy: str) -> dict[str, Any]:
    """Return the colour and marker of a strategy in all charts."""
    return dict(zip(("color", "marker"), LOOKS.get(strategy, (GREY, "v")), strict=True))


def curves(axes: Axes, points: pd.DataFrame, measure: str) -> None:
    """Draw means with their 95 % intervals against workers, in the look of each strategy.

    A point without interval is hollow.
    """
    known = points.dropna(subset=measure).sort_values("workers")
    for name in strategies(known):
        curve = known[known["strategy"] == name]
        line: Any = {"linewidth": 1.6, "markersize": 5, **look(name)}
        middle, low, high = curve[interval_columns(measure)].to_numpy(float).T
        lengths = np.nan_to_num([middle - low, high - middle]).clip(min=0)
        axes.errorbar(curve["workers"], middle, yerr=lengths, capsize=3, label=label(name), **line)
        single = curve[curve[f"{measure}_low"].isna()]
        if len(single):
            line |= {"markerfacecolor": "white", "linestyle": "none", "zorder": 3}
            axes.plot(single["workers"], single[measure], **line)
            axes.plot([], [], **{**line, "marker": "o", "color": GREY}, label=SINGLE)


def worker_axis(axes: Axes, counts: set[int], cpus: int) -> None:
    """Label the x axis with worker counts on a binary scale, and mark the CPUs."""
    axes.axvline(cpus, color=GREY, linestyle=":", linewidth=1.5, label=CPUS)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers")


def measure_axis(figure: Figure, measure: str) -> None:
    """Label and scale the y axis that all panels share."""
    first = figure.axes[0]
    first.set_ylabel(MEASURES[measure].axis)
    if measure.endswith("efficiency"):
        first.set_ylim(bottom=0)
        first.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    else:
        base, steps = (2, (1,)) if measure == "speedup" else (10, (1, 2, 5))
        first.set_yscale("log", base=base)
        low, high = first.get_ylim()
        first.yaxis.set_major_locator(LogLocator(base, steps) if high > 4 * low else AutoLocator())
        first.yaxis.set_major_formatter("{x:,.10g}")
        first.yaxis.set_minor_locator(NullLocator())


def legend(figure: Figure) -> None:
    """Add one legend for all panels, curves first."""
    pairs = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    entries = {name: handle for pair in pairs for handle, name in pair}
    names = sorted(entries, key=lambda name: LAST_IN_LEGEND.index(name) if name in LAST_IN_LEGEND else -1)
    handles = [entries[name] for name in names]
    columns = 4 if figure.get_figwidth() > 1.25 * MIN_WIDTH_INCHES else 2
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False)


@dataclass(frozen=True)
class Chart:
    """A figure with its title, and the numbers that it draws; `caption` says what these rest on."""

    figure: Figure
    data: pd.DataFrame
    title: str
    caption: str

    def __post_init__(self) -> None:
        """Draw the title."""
        self.figure.suptitle(self.title)

    @styled
    def save(self, path: Path) -> list[Path]:
        """Write the chart, its caption below it, as PNG and SVG; return both files.

        Equal points give equal bytes.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        files = [path.with_name(f"{path.name}.{kind}") for kind in ("png", "svg")]
        self.figure.draw_without_rendering()  # lays all out, and the caption is to move nothing
        self.figure.set_layout_engine("none")
        for each in self.figure.legends:
            each.set_bbox_to_anchor((0, 0, 1, 1), self.figure.transFigure)
        width, height = self.figure.get_size_inches()
        lines = wrap(self.caption, int(width * CAPTION_LETTERS_PER_INCH))
        below = self.figure.text(0.5, -0.02, "\n".join(lines), size=8, color=GREY, ha="center", va="top")
        whole = Bbox([[0, -0.15 - 0.15 * len(lines)], [width, height]])
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else None
            self.figure.savefig(file, metadata=metadata, bbox_inches=whole)
        below.remove()
        return files
