"""The parts that all charts share: looks of strategies, curves, axes, legends and files.

Figures are drawn without pyplot, so they have no global state and need no display.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, NullLocator
from numpy.typing import ArrayLike

from augment.strategies import STRATEGIES
from experiments.analysis.scaling import strategies
from experiments.analysis.select import NoTrialsError
from experiments.analysis.statistics import interval_columns
from experiments.report.tables import MEASURES, by_saving
from experiments.report.texts import label
from experiments.store.columns import FAILED, NOT_APPLICABLE

LOOKS = {  # colours of Okabe and Ito and of Tol, and markers; a strategy without an entry gets a spare colour
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
SPARE_COLORS = ("#661100", "#117733", "#AA4499", "#6699CC")
GREY = "#777777"
STYLE: Any = {
    **{"font.size": 10, "savefig.dpi": 200, "axes.grid": True, "grid.alpha": 0.3},
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "svg.hashsalt": "experiments",  # equal points give equal bytes
}
styled = mpl.rc_context(STYLE)  # a decorator of functions that draw
MIN_WIDTH_INCHES = 4.8  # holds one panel with two columns of legend below it
IDEAL, CEILING, CPUS, SINGLE = "ideal", "machine's ceiling", "CPUs", "no interval"
PUBLISHED = "published (2 x Xeon Silver 4314)"
LAST_IN_LEGEND = [IDEAL, CEILING, CPUS, SINGLE, FAILED, PUBLISHED]


def look(strategy: str) -> dict[str, Any]:
    """Return the colour and marker of a strategy in all charts; grey for an unknown strategy."""
    others = [name for name in STRATEGIES if name not in LOOKS]
    spare = SPARE_COLORS[others.index(strategy) % len(SPARE_COLORS)] if strategy in others else GREY
    color, marker = LOOKS.get(strategy, (spare, "v"))
    return {"color": color, "marker": marker}


def panels(
    title: str, size_inches: tuple[float, float], rows: int, columns: int, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a new figure and its panels, row by row."""
    figure = Figure(figsize=size_inches, layout="constrained")
    figure.suptitle(title)
    return figure, list(figure.subplots(rows, columns, squeeze=False, **shared).flat)


def saving_panels(points: pd.DataFrame, title: str) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """Return a new figure with a panel for saving and one for no saving, each with its points.

    A panel without applicable cells is left out. Raises NoTrialsError if no panel remains.
    """
    present = {flag: block for flag, block in by_saving(points) if (block["status"] != NOT_APPLICABLE).any()}
    if not present:
        raise NoTrialsError("nothing to draw: every cell is not applicable")
    size = max(MIN_WIDTH_INCHES, 0.4 + 3.5 * len(present)), 4.1
    figure, row = panels(title, size, 1, len(present), sharey=True)
    for axes, flag in zip(row, present, strict=True):
        axes.set_title(flag, fontsize=10)
    return figure, list(zip(row, present.values(), strict=True))


def scale_factor(measure: str) -> int:
    """Return the factor of a measure in charts: 100 for efficiencies and shares, drawn in per cent."""
    return 100 if measure.endswith(("efficiency", "share")) else 1


def curves(axes: Axes, points: pd.DataFrame, measure: str) -> None:
    """Draw means with their 95 % intervals against workers, in the look of each strategy.

    A point without interval is hollow; a cross at the foot marks a failed cell.
    """
    for name in strategies(points[points[measure].notna() | (points["status"] == FAILED)]):
        own = points[points["strategy"] == name].sort_values("workers")
        line: Any = {"linewidth": 1.6, "markersize": 5, **look(name)}
        intervals = scale_factor(measure) * own[interval_columns(measure)].astype(float)
        middle, low, high = intervals.to_numpy().T
        lengths = np.nan_to_num([middle - low, high - middle]).clip(min=0)
        axes.errorbar(own["workers"], middle, yerr=lengths, capsize=3, label=label(name), **line)
        single, failed = own[own[f"{measure}_low"].isna()], own.loc[own["status"] == FAILED, "workers"]
        if single[measure].notna().any():
            line |= {"markerfacecolor": "white", "linestyle": "none", "zorder": 3}
            axes.plot(single["workers"], scale_factor(measure) * single[measure].astype(float), **line)
            axes.plot([], [], **{**line, "marker": "o", "color": GREY}, label=SINGLE)
        if len(failed):
            foot = axes.get_xaxis_transform()
            axes.plot(failed, [0.03] * len(failed), "x", color=line["color"], transform=foot)
            axes.plot([], [], "x", color=GREY, label=FAILED)


def ideal_line(axes: Axes, workers: ArrayLike, ideal: ArrayLike) -> None:
    """Draw the line of perfect scaling."""
    axes.plot(workers, ideal, color=GREY, linewidth=1, label=IDEAL, zorder=1)


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
    if scale_factor(measure) == 100:
        first.set_ylim(bottom=0)
    else:
        base, steps = (2, (1,)) if measure == "speedup" else (10, (1, 2, 5))
        first.set_yscale("log", base=base)
        low, high = first.get_ylim()
        first.yaxis.set_major_locator(LogLocator(base, steps) if high > 4 * low else AutoLocator())
        first.yaxis.set_major_formatter("{x:g}")
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
    """A figure and the numbers that it draws."""

    figure: Figure
    data: pd.DataFrame

    @styled
    def save(self, path: Path) -> list[Path]:
        """Write the chart as PNG and SVG; return both files. Equal points give equal bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        files = [path.with_name(f"{path.name}.{kind}") for kind in ("png", "svg")]
        for file in files:
            self.figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
        return files

    @property
    def description(self) -> str:
        """Return the title, panels, axes and legend as text, for readers who cannot see the figure."""
        texts = [self.figure.get_suptitle()]
        for panel in self.figure.axes:
            texts += [panel.get_title(), panel.get_ylabel(), panel.get_xlabel()]
        texts += [text.get_text() for legend in self.figure.legends for text in legend.get_texts()]
        return " ".join(". ".join(dict.fromkeys(filter(None, texts))).split())
