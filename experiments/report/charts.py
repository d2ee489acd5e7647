"""What all charts share: looks of strategies, curves, axes, legends and files. Figures are made without
pyplot: they have no global state and need no display."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from augment.strategies import STRATEGIES
from experiments.analysis.scaling import NoTrialsError, interval_columns, strategies
from experiments.analysis.text import label
from experiments.report.tables import MEASURES, by_saving
from experiments.store.columns import FAILED, NOT_APPLICABLE

# Colours for strategies without one, apart from those that others have (of Okabe and Ito, and of Tol).
SPARE = ("#661100", "#117733", "#AA4499", "#6699CC")
GREY = "#777777"
Inches = tuple[float, float]  # width and height
STYLE: Any = {
    **{"font.size": 10, "savefig.dpi": 200, "axes.grid": True, "grid.alpha": 0.3},
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "svg.hashsalt": "experiments",  # the same points make the same bytes
}
styled = mpl.rc_context(STYLE)  # decorates what draws
MIN_WIDTH = 4.8  # inches: of a single panel with two columns of legend below it
CHART_FORMATS = ("png", "svg")
IDEAL, CPUS, SINGLE = "ideal", "CPUs", "no interval"
PUBLISHED = "published (2 x Xeon Silver 4314)"
BEYOND_CEILING = "beyond the ceiling"
BAND = 0.15  # how much of its colour an area has
LAST = [
    "Amdahl",
    "USL",
    "Gustafson",
    IDEAL,
    BEYOND_CEILING,
    CPUS,
    SINGLE,
    FAILED,
    PUBLISHED,
]  # in legends


def look(strategy: str) -> dict[str, Any]:
    """Colour and marker of a strategy in every chart; grey for one of another version."""
    if strategy not in STRATEGIES:
        return {"color": GREY, "marker": "v"}
    uncoloured = [name for name, kind in STRATEGIES.items() if kind.color is None]
    color = STRATEGIES[strategy].color or SPARE[uncoloured.index(strategy) % len(SPARE)]
    return {"color": color, "marker": STRATEGIES[strategy].marker}


def panels(title: str, size: Inches, rows: int, columns: int, **shared: Any) -> tuple[Figure, list[Axes]]:
    """A figure and its panels, row by row."""
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    return figure, list(figure.subplots(rows, columns, squeeze=False, **shared).flat)


def scale_of(measure: str) -> int:
    """What a measure is multiplied by in charts: efficiencies and shares are shown in per cent."""
    return 100 if measure.endswith(("efficiency", "share")) else 1


def saving_panels(
    points: pd.DataFrame, title: str, panel: Inches = (3.5, 4.1)
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A figure with a panel for saving and one for no saving, as far as something ran, and its
    points. Raises NoTrialsError where nothing did."""
    present = {flag: block for flag, block in by_saving(points) if (block["status"] != NOT_APPLICABLE).any()}
    if not present:
        raise NoTrialsError("nothing to draw: every cell is not applicable")
    size = max(MIN_WIDTH, 0.4 + panel[0] * len(present)), panel[1]
    figure, row = panels(title, size, 1, len(present), sharey=True)
    for axes, flag in zip(row, present, strict=True):
        axes.set_title(flag, fontsize=10)
    return figure, list(zip(row, present.values(), strict=True))


def bar_lengths(middle: ArrayLike, low: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
    """Return how far error bars reach below and above `middle`: 0 where there is no interval."""
    return np.nan_to_num([np.subtract(middle, low), np.subtract(high, middle)]).clip(min=0)


def curves(axes: Axes, points: pd.DataFrame, measure: str, **style: Any) -> None:
    """A `curve` for each strategy in its looks."""
    for name in strategies(points[points[measure].notna() | (points["status"] == FAILED)]):
        curve(axes, points[points["strategy"] == name], measure, label(name), **look(name), **style)


def curve(
    axes: Axes, points: pd.DataFrame, measure: str, name: str, *, x: str = "workers", **style: Any
) -> None:
    """Means with their 95 % intervals, as a band where there are several; hollow where there is none, a cross
    at the foot where it failed."""
    points = points.sort_values(x)
    at, scale = points[x].astype(float), scale_of(measure)
    middle, low, high = (scale * points[column].astype(float) for column in interval_columns(measure))
    style = {"linewidth": 1.6, "markersize": 5} | style
    bars: Any = {"yerr": bar_lengths(middle, low, high), "capsize": 3, "label": name}
    if low.notna().sum() > 1 and style.get("linestyle") != "none":
        axes.fill_between(at, low, high, color=style["color"], alpha=BAND, linewidth=0)
        bars |= {"capsize": 0, "elinewidth": 0}
    axes.errorbar(at, middle, **style | bars)
    single = points[f"{measure}_low"].isna() & points[measure].notna()
    if single.any():
        hollow: Any = style | {"markerfacecolor": "white", "linestyle": "none", "zorder": 3}
        axes.plot(at[single], middle[single], **hollow)
        axes.plot([], [], **{**hollow, "marker": "o", "color": GREY}, label=SINGLE)
    if (failed := at[points["status"] == FAILED]).size:
        foot = axes.get_xaxis_transform()
        axes.plot(failed, [0.03] * len(failed), "x", color=style["color"], transform=foot)
        axes.plot([], [], "x", color=GREY, label=FAILED)


def worker_axis(axes: Axes, counts: set[int], cpus: int | None) -> None:
    """Workers in powers of two, with the machine's CPUs marked where they are known."""
    if cpus is not None:
        axes.axvline(cpus, color=GREY, linestyle=":", linewidth=1.5, label=CPUS)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("workers")


def finish(figure: Figure, measure: str) -> None:
    """The scale that all panels share, and their legend."""
    scale(figure, measure)
    legend(figure)


def scale(figure: Figure, measure: str) -> None:
    """The scale that all panels share."""
    first = figure.axes[0]
    first.set_ylabel(MEASURES[measure].axis)
    if scale_of(measure) == 100:
        first.set_ylim(bottom=0)
    else:
        base, steps = (2, (1,)) if measure == "speedup" else (10, (1, 2, 5))
        first.set_yscale("log", base=base)
        low, high = first.get_ylim()
        first.yaxis.set_major_locator(LogLocator(base, steps) if high > 4 * low else AutoLocator())
        first.yaxis.set_major_formatter("{x:g}")
        first.yaxis.set_minor_locator(NullLocator())


def beyond(axes: Axes, at: Sequence[float], ends: Sequence[float], is_above: bool) -> None:
    """Marks what no strategy can reach: above the ceiling, or of times below it."""
    low, high = axes.get_ylim()
    edge = [high if is_above else low] * len(at)
    axes.fill_between(at, ends, edge, color=GREY, alpha=BAND, linewidth=0, label=BEYOND_CEILING, zorder=0)
    axes.set_ylim(low, high)


def legend(figure: Figure) -> None:
    """Add one legend for all panels, in which what is not a curve comes last."""
    pairs = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in figure.axes]
    entries = {name: handle for pair in pairs for handle, name in pair}
    names = sorted(entries, key=lambda name: LAST.index(name) if name in LAST else -1)
    handles = [entries[name] for name in names]
    columns = 4 if figure.get_figwidth() > 1.25 * MIN_WIDTH else 2
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False)


@dataclass(frozen=True)
class Chart:
    """A figure, and the numbers that it draws."""

    figure: Figure
    data: pd.DataFrame

    @property
    def shows_photos(self) -> bool:
        """Whether it is made of pictures, which no SVG makes smaller or sharper."""
        return any(axes.images for axes in self.figure.axes)

    @property
    def words(self) -> str:
        """What it shows, for who cannot see it: title, panels, axes and the names of its curves."""
        axes = self.figure.axes
        panels = dict.fromkeys(filter(None, (each.get_title() or each.get_title("left") for each in axes)))
        places = {f"{each.get_ylabel()} against {each.get_xlabel()}": 0 for each in axes if each.get_xlabel()}
        written = [text for each in axes for text in each.texts]
        written += [text for legend in self.figure.legends for text in legend.get_texts()]
        names = dict.fromkeys(text.get_text() for text in written)
        parts = [self.figure.get_suptitle(), *places, "; ".join(panels), ", ".join(names)]
        return " ".join(". ".join(filter(None, parts)).split())


@styled
def save(chart: Chart, path: Path) -> list[Path]:
    """Writes `path` as PNG and, but for photos, as SVG; that of equal points is equal byte for byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = CHART_FORMATS[: 1 if chart.shows_photos else None]
    written = [path.with_name(f"{path.name}.{kind}") for kind in kinds]
    for file in written:
        chart.figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return written
