"""The parts that all charts share: looks of strategies, curves, axes, legends and files.

Figures are drawn without pyplot, so they have no global state and need no display.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from matplotlib.transforms import Bbox

from augment.strategies.instruments.copies import Copies
from experiments.analysis.select import place
from experiments.analysis.statistics import interval_columns
from experiments.report.tables import MEASURES, by_saving
from experiments.report.texts import label

# Each colour has a contrast of 3 to white and to the page's dark ground, where black is drawn in the text's
# colour. The first six are after Okabe and Ito, for eyes that see few colours; markers differ, too.
LOOKS = {  # a strategy without an entry is grey
    "sequential": ("#000000", "D"),
    "p1": ("#0072B2", "o"),
    "pq": ("#D55E00", "s"),
    "p2": ("#009E73", "^"),
    "dynamic": ("#CC79A7", "*"),
    "threads": ("#A88400", "p"),
    "futures": ("#9A55B5", "<"),
    "loky": ("#6F6FD8", ">"),
    "dataloader": ("#D3455B", "d"),
    "dask": ("#0F8CA0", "H"),
    "ray": ("#66862F", "X"),
    "copies": ("#9A5B12", "P"),
}
GREY = "#777777"
STYLE: Any = {
    **{"font.size": 10, "axes.titlesize": 10, "savefig.dpi": 200, "axes.grid": True, "grid.alpha": 0.3},
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "figure.constrained_layout.wspace": 0.04,  # else numbers of neighbouring axes meet
    "axes.axisbelow": True,  # bars hide lines of the grid
    "svg.hashsalt": "experiments",  # equal points give equal bytes
}
styled = mpl.rc_context(STYLE)  # a decorator of functions that draw
CAPTION_LETTERS_PER_INCH = 16
WIDTH_INCHES = 7.4  # letters of 9 points are 10 pixels high in 640 pixels
MIN_TICK_RATIO = 1.25  # of two labelled worker counts: closer labels would overlap
APART = 0.02  # of the axis of workers, between neighbouring curves, so that intervals do not hide others
IDEAL, CEILING, BEYOND, SINGLE = "ideal", "machine's ceiling", "more workers than CPUs", "no interval"
PUBLISHED = "published (2 x Xeon Silver 4314)"
LAST_IN_LEGEND = [IDEAL, CEILING, BEYOND, SINGLE, PUBLISHED]
TICKS: Any = {  # of a measure, from its value and place
    "efficiency": lambda share, _: f"{100 * share:.0f}",
    "peak_rss_bytes": lambda peak, _: f"{peak / 1e6:,.0f}",
}


def look(strategy: str) -> dict[str, Any]:
    """Return the colour and marker of a strategy in all charts."""
    return dict(zip(("color", "marker"), LOOKS.get(strategy, (GREY, "v")), strict=True))


def curves(axes: Axes, points: pd.DataFrame, measure: str) -> None:
    """Draw means with their 95 % intervals against workers: a look per strategy, dashes per runtime.

    A point without an interval is hollow if others have one. A point that is `recommended` has a ring.
    """
    defaults: Any = {"runtime": "", "recommended": False}  # columns that only points of a search have
    known = points.assign(**{name: points.get(name, default) for name, default in defaults.items()})
    known = known.dropna(subset=measure).sort_values("workers")
    kinds: Any = known.groupby(["strategy", "runtime"])
    kinds = sorted(kinds, key=lambda kind: (place(kind[0][0]), kind[0][1]))
    dashes = dict(zip(sorted({*known["runtime"]}), cycle(("-", "--", ":")), strict=False))
    span = known["workers"].max() / known["workers"].min()
    for number, ((name, runtime), curve) in enumerate(kinds):
        line: Any = {"label": ", ".join(filter(None, (label(name), runtime))), **look(name)}
        line |= {"linewidth": 1.6, "linestyle": dashes[runtime], "markersize": 5}
        is_alone = known["workers"].isin(curve["workers"]).sum() == len(curve)
        shift = 1.0 if is_alone else span ** (APART * (number - (len(kinds) - 1) / 2))
        _curve(axes, curve.assign(at=curve["workers"] * shift), measure, line)


def _curve(axes: Axes, curve: pd.DataFrame, measure: str, line: dict[str, Any]) -> None:
    middle, low, high = curve.reindex(columns=interval_columns(measure)).to_numpy(float).T
    lengths = np.nan_to_num([middle - low, high - middle]).clip(min=0)
    axes.errorbar(curve["at"], middle, yerr=lengths, capsize=3, **line)
    single = curve[curve[f"{measure}_low"].isna()] if f"{measure}_low" in curve else curve[:0]
    if len(single):
        hollow = line | {"markerfacecolor": "white", "linestyle": "none", "zorder": 3}
        axes.plot(single["at"], single[measure], **hollow | {"label": ""})
        axes.plot([], [], **hollow | {"marker": "o", "color": GREY, "label": SINGLE})
    for x, y in curve.loc[curve["recommended"], ["at", measure]].to_numpy(float):
        axes.plot(x, y, "o", markersize=15, markerfacecolor="none", color="#000000")
        axes.annotate("recommended", (x, y), (0, 12), textcoords="offset points", ha="center")


def ceiling(axes: Axes, points: pd.DataFrame, measure: str) -> None:
    """Draw what the copies reach, and the rate of the most of them as a level line up to the most workers."""
    copies = points[points["strategy"] == Copies.name].dropna(subset=measure).sort_values("workers")
    if len(copies):
        counts, levels = ([*copies[name]] for name in ("workers", measure))
        if not measure.endswith("efficiency"):
            counts, levels = [*counts, points["workers"].max()], [*levels, levels[-1]]
        line: Any = {"linestyle": ":", "linewidth": 1.8, "markevery": range(len(copies)), **look(Copies.name)}
        axes.plot(counts, levels, label=CEILING, **line)


@styled
def rate_figure(points: pd.DataFrame, cpus: int) -> Figure:
    """Draw images per second against workers, and the peak memory below, saving and not side by side."""
    rates, memory = "images_per_s", "peak_rss_bytes"
    blocks = by_saving(points.dropna(subset=rates))
    figure = Figure(figsize=(WIDTH_INCHES, 5.0), layout="constrained")
    grid = figure.subplots(2, len(blocks), squeeze=False, sharex=True, sharey="row", height_ratios=(3, 2))
    for (above, below), (flag, block) in zip(grid.T, blocks.items(), strict=True):
        above.set_title(flag)
        ceiling(above, block, rates)
        others = block[block["strategy"] != Copies.name]
        curves(above, others, rates)
        curves(below, others.drop(columns="recommended", errors="ignore"), memory)
        for axes in (above, below):
            worker_axis(axes, points["workers"], cpus)
            axes.label_outer()
    for axes, measure in zip(grid[:, 0], (rates, memory), strict=True):
        measure_axis(axes, measure, points[measure].max())
    figure.align_ylabels()
    legend(figure)
    return figure


def worker_axis(axes: Axes, counts: Iterable[int], cpus: int) -> None:
    """Label the x axis with worker counts on a binary scale; shade those above the CPUs."""
    ticks = sorted({*counts})
    axes.set_xscale("log", base=2)
    axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)
    labelled = ticks[-1:]
    for count in reversed(ticks):
        labelled += [count] * (count * MIN_TICK_RATIO <= labelled[-1])
    axes.set_xticks(ticks, [str(count) if count in labelled else "" for count in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers")
    if ticks[-1] > cpus:
        axes.axvspan(cpus + 0.5, ticks[-1] * 1.25, color=GREY, alpha=0.1, linewidth=0, label=BEYOND)


def measure_axis(axes: Axes, measure: str, largest: float) -> None:
    """Label a y axis, after its curves were drawn, and scale it: by powers of two, or from zero.

    It ends a little above the `largest` mean, so that a wide interval does not squeeze all others.
    """
    axes.set_ylabel(MEASURES[measure].axis)
    if measure == "speedup":
        axes.set_yscale("log", base=2)
        axes.set_ylim(top=2 * largest)
    else:
        axes.set_ylim(0, 1.3 * largest if largest > 0 else None)  # NaN if none is known
    axes.yaxis.set_major_formatter(TICKS.get(measure, "{x:,.10g}"))


def legend(figure: Figure) -> None:
    """Add one legend for all panels, curves first."""
    pairs = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    entries = {name: handle for pair in pairs for handle, name in pair}
    names = sorted(entries, key=lambda name: LAST_IN_LEGEND.index(name) if name in LAST_IN_LEGEND else -1)
    handles = [entries[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)


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
        """Write chart and caption as PNG and SVG, and return both files. Equal points give equal bytes."""
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
