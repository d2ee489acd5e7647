"""Charts of points; one colour per strategy in all of them.

Figures are made without pyplot: they have no global state and need no display.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, MaxNLocator, NullLocator

from experiments.analysis.scaling import SEQUENTIAL, NoTrialsError
from experiments.records.schema import FAILED, NOT_APPLICABLE
from experiments.report.tables import label, measures, strategies

# Colours of Okabe and Ito, which colour-blind people can tell apart, without the pale yellow; and markers
PALETTE = {
    SEQUENTIAL: ("#000000", "D"),
    "p1": ("#0072B2", "o"),
    "pq": ("#D55E00", "s"),
    "p2": ("#009E73", "^"),
}
SPARE = (("#CC79A7", "v"), ("#E69F00", "P"), ("#56B4E9", "X"))
GREY = "#777777"
STYLE: Any = {
    **{"font.size": 10, "savefig.dpi": 200, "axes.grid": True, "grid.alpha": 0.3},
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "svg.hashsalt": "experiments",  # the same points make the same bytes
}
PUBLISHED = "published (2 x Xeon Silver 4314)"
SHARED = "P / CPUs: shared CPUs alone"
LAWS = ["Amdahl", "USL", "Gustafson", "95 % interval beyond the fit"]
LAST = [
    *LAWS,
    "ideal",
    SHARED,
    "CPUs",
    "one repetition",
    "failed",
    PUBLISHED,
]  # in the legend, after the curves
CHARTS = {  # measure: name of its chart, label of its axis
    "wall_s": ("time", "time (s)"),
    "speedup": ("speedup", "speedup"),
    "efficiency": ("efficiency", "efficiency (%)"),
    "normalised_efficiency": ("normalised_efficiency", "work-normalised efficiency (%)"),
}


def look(strategy: str) -> dict[str, str]:
    """Colour and marker of a strategy in every chart; those of a new one depend on its name alone."""
    spare = SPARE[zlib.crc32(strategy.encode()) % len(SPARE)]
    return dict(zip(("color", "marker"), PALETTE.get(strategy, spare), strict=True))


@mpl.rc_context(STYLE)
def scaling_figures(
    points: pd.DataFrame, title: str, published: pd.DataFrame | None = None, usable_cpus: int | None = None
) -> dict[str, Figure]:
    """Charts by name (time, speedup, …) of the points of `strong` or `weak`, each with a panel for
    saving and one for no saving, over the `published` points and a line at the CPUs of the machine.

    Raises NoTrialsError if there is nothing but cells that do not apply.
    """
    shown, other = _percent(points), _percent(points.iloc[:0] if published is None else published)
    return {CHARTS[name][0]: _chart(name, shown, title, other, usable_cpus) for name in measures(points)}


def _percent(points: pd.DataFrame) -> pd.DataFrame:
    return points.assign(**{name: 100 * points[name] for name in map(str, points) if "efficiency" in name})


def _chart(measure: str, points: pd.DataFrame, title: str, other: pd.DataFrame, cpus: int | None) -> Figure:
    figure, panels = saving_panels(points, title)
    other = other.dropna(subset=measure)
    for axes, block in panels:
        _overlay(axes, measure, other[other["saving"] == block["saving"].iloc[0]])
        _ideal(axes, measure, block)
        for strategy in strategies(block):
            curve = block[block["strategy"] == strategy]
            _curve(axes, measure, curve, label(strategy), **look(strategy))
        worker_axis(axes, {*points["workers"], *other["workers"]}, cpus)
    finish(figure, measure)
    return figure


def worker_axis(axes: Axes, counts: set[int], cpus: int | None) -> None:
    """Workers in powers of two, with the machine's CPUs marked where they are known."""
    if cpus is not None:
        axes.axvline(cpus, color=GREY, linestyle=":", linewidth=1.5, label="CPUs")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
    axes.set_xlabel("workers")


@mpl.rc_context(STYLE)
def savers_figure(points: pd.DataFrame, title: str) -> Figure:
    """Time against the number of savers, a line per worker count, of `strong(trials, SAVERS)`."""
    tuned = points[(points["strategy"] != SEQUENTIAL) & points["savers"].notna()]
    figure, panels = saving_panels(tuned, title)
    counts = sorted(tuned["workers"].unique())
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(counts)))
    for axes, block in panels:
        for workers, shade in zip(counts, shades, strict=True):
            curve = block[block["workers"] == workers].sort_values("savers")
            _curve(axes, "wall_s", curve, f"{workers} workers", x="savers", color=shade, marker="o")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("savers")
    finish(figure, "wall_s")
    return figure


def saving_panels(points: pd.DataFrame, title: str) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A figure with a panel for saving and one for no saving, as far as something ran, and its points."""
    blocks = [(points[points["saving"]], "saving"), (points[~points["saving"]], "no saving")]
    present = [(block, name) for block, name in blocks if (block["status"] != NOT_APPLICABLE).any()]
    if not present:
        raise NoTrialsError("nothing to draw: every cell is not applicable")
    figure = Figure(figsize=(0.4 + 3.5 * len(present), 4.1), layout="constrained")
    figure.suptitle(title)
    row = figure.subplots(1, len(present), sharey=True, squeeze=False)[0]
    for axes, (_, name) in zip(row, present, strict=True):
        axes.set_title(name, fontsize=10)
    return figure, [(axes, block) for axes, (block, _) in zip(row, present, strict=True)]


def _curve(
    axes: Axes, measure: str, curve: pd.DataFrame, name: str, x: str = "workers", **style: Any
) -> None:
    """Means with error bars from the least to the largest repetition; hollow where there is but one."""
    at, mean = curve[x].astype(float), curve[measure]
    bars = [mean - curve[f"{measure}_min"], curve[f"{measure}_max"] - mean]
    axes.errorbar(at, mean, yerr=bars, label=name, capsize=3, linewidth=1.6, markersize=5, **style)
    single = curve["repetitions"] == 1
    if single.any():
        hollow = {**style, "markerfacecolor": "white", "linestyle": "none", "markersize": 5, "zorder": 3}
        axes.plot(at[single], mean[single], **hollow)
        axes.plot([], [], **{**hollow, "marker": "o", "color": GREY}, label="one repetition")
    failed = at[curve["status"] == FAILED]
    if len(failed):
        foot = axes.get_xaxis_transform()
        axes.plot(failed, [0.03] * len(failed), "x", color=style["color"], transform=foot)
        axes.plot([], [], "x", color=GREY, label="failed")


def _overlay(axes: Axes, measure: str, published: pd.DataFrame) -> None:
    style: Any = {"linestyle": "--", "linewidth": 1.1, "marker": ".", "markersize": 4}
    for strategy in strategies(published):
        curve = published[published["strategy"] == strategy]
        axes.plot(curve["workers"], curve[measure], color=look(strategy)["color"], alpha=0.5, **style)
    if set(published["strategy"]) - {SEQUENTIAL}:  # one point makes no curve
        axes.plot([], [], color=GREY, label=PUBLISHED, **style)


def _ideal(axes: Axes, measure: str, block: pd.DataFrame) -> None:
    ideal = block.groupby("workers")["ideal_s"].max()
    if measure == "speedup":
        ideal = pd.Series(ideal.index, index=ideal.index)
    elif measure != "wall_s":
        ideal[:] = 100.0
    axes.plot(ideal.index, ideal, color=GREY, linewidth=1, label="ideal", zorder=1)


def finish(figure: Figure, measure: str) -> None:
    """The scale that all panels share, and their legend."""
    first = figure.axes[0]
    first.set_ylabel(CHARTS[measure][1])
    if measure.endswith("efficiency"):
        first.set_ylim(bottom=0)
    else:
        base, steps = (2, (1,)) if measure == "speedup" else (10, (1, 2, 5))
        first.set_yscale("log", base=base)
        low, high = first.get_ylim()
        first.yaxis.set_major_locator(LogLocator(base, steps) if high > 4 * low else AutoLocator())
        first.yaxis.set_major_formatter("{x:g}")
        first.yaxis.set_minor_locator(NullLocator())
    legend(figure)


def legend(figure: Figure) -> None:
    """One legend for all panels, what is not a curve last."""
    pairs = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    entries = {name: handle for pair in pairs for handle, name in pair}
    names = sorted(entries, key=lambda name: LAST.index(name) if name in LAST else -1)
    handles = [entries[name] for name in names]
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)


@mpl.rc_context(STYLE)
def save(figure: Figure, path: Path, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Writes `path` with the suffix of each kind; SVG of equal points is equal byte for byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path.with_name(f"{path.name}.{kind}") for kind in kinds]
    for file in written:
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return written
