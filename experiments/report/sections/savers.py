"""P_Q over its number of savers."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.analysis.scaling import SAVERS, summarise
from experiments.analysis.select import select
from experiments.report import charts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.cells import cells
from experiments.store.columns import OK


@section("saver_tuning")
def savers(results: Results) -> Outputs:
    """The cells, and their time against the number of savers."""
    yield from cells(results)
    trials, _ = select(results.trials, SAVERS)
    points = summarise(trials, SAVERS)[0].dropna(subset="savers")
    if (points["status"] == OK).any():
        yield "time", charts.Chart(savers_figure(points), points)


@charts.styled
def savers_figure(points: pd.DataFrame) -> Figure:
    """A line per worker count."""
    figure, panels = charts.saving_panels(points, "Tuning of the number of savers")
    counts = sorted(points["workers"].unique())
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(counts)))
    for axes, block in panels:
        for workers, shade in zip(counts, shades, strict=True):
            curve = block[block["workers"] == workers]
            charts.curve(axes, curve, "wall_s", f"{workers} workers", x="savers", color=shade, marker="o")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("savers")
    charts.finish(figure, "wall_s")
    return figure
