"""Does a task cost more, or a process hold more, as images and workers grow?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.growth import growth as grown
from experiments.analysis.scaling import ENDS, strategies
from experiments.analysis.text import label, with_interval
from experiments.report.results import Results, cpus_of
from experiments.report.sections import Outputs, section
from experiments.report.style import Chart, curve, legend, look, panels, styled
from experiments.report.tables import by_place, plain_table

NOTE = (
    "Between tasks: from the end of a task to the begin of its worker's next one, median of all; memory: the "
    "most that a process held, mean of all processes. Each with its 95 % interval."
)
SHOWN = {
    "coordination_s": ("between tasks (µs)", 1e6),
    "process_bytes": ("peak memory of a process (MB)", 1e-6),
}


@section("growth")
def growth(results: Results) -> Outputs:
    """Coordination and memory against images and against workers."""
    points = grown(results.trials, results.parts)
    shown = by_place(points)[["strategy", "workers", "n_images"]].copy()
    for measure, (head, unit) in SHOWN.items():
        rows = by_place(points)[[f"{measure}{end}" for end in ENDS]].to_numpy() * unit
        shown[head] = [with_interval(middle, low, high, ".1f") for middle, low, high in rows.tolist()]
    yield "table", [plain_table("Coordination and memory", points, [NOTE], shown)]
    figure = growth_figure(points, cpus_of(results.trials), "What grows with images and workers")
    yield "growth", Chart(figure, points)


@styled
def growth_figure(points: pd.DataFrame, cpus: int, title: str) -> Figure:
    """A row per measure; against images with as many workers as CPUs, against workers with the images of
    which most workers were measured."""
    many = points.groupby("n_images")["workers"].nunique()
    middle = sorted(many[many == many.max()].index)[many.eq(many.max()).sum() // 2]
    by_images = points[points["workers"] == min(cpus, points["workers"].max())]
    by_workers = points[points["n_images"] == middle]
    figure, grid = panels(title, (7.4, 5.6), 2, 2, sharey="row")
    for axes, measure in zip((grid[:2], grid[2:]), SHOWN, strict=True):
        _curves(axes[0], by_images, measure, "n_images")
        _curves(axes[1], by_workers, measure, "workers")
        axes[0].set_ylabel(SHOWN[measure][0])
        axes[0].set_ylim(0, 1.05 * axes[0].get_ylim()[1])
    grid[0].set_title(f"{cpus} workers", fontsize=10)
    grid[1].set_title(f"{middle:,} images", fontsize=10)
    grid[2].set_xlabel("images")
    grid[3].set_xlabel("workers")
    legend(figure)
    return figure


def _curves(axes: Axes, points: pd.DataFrame, measure: str, x: str) -> None:
    unit = SHOWN[measure][1]
    scaled = points.assign(**{f"{measure}{end}": unit * points[f"{measure}{end}"] for end in ENDS})
    for name in strategies(scaled):
        curve(axes, scaled[scaled["strategy"] == name], measure, label(name), x=x, **look(name))
    axes.set_xscale("log", base=10 if x == "n_images" else 2)
    axes.xaxis.set_major_formatter("{x:,.0f}")
