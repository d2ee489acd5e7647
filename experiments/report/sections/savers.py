"""P_Q over its number of savers."""

import json

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from augment.strategies.sequential import Sequential
from experiments.analysis.scaling import SAVERS, public, strong
from experiments.analysis.select import select
from experiments.records.schema import OK
from experiments.report import style
from experiments.report.sections import Outputs, Results, section
from experiments.report.tables import MEASURES, measure_text, plain_table, repetition_notes

TITLE = "Tuning of the number of savers"


@section("saver_tuning")
def savers(results: Results) -> Outputs:
    """A cell that does not apply has no savers; it is shown at those that were asked for."""
    options = results.trials["strategy_options"].map(json.loads)
    asked = pd.to_numeric(options.map(lambda option: option.get("savers")), errors="coerce")
    trials = results.trials.assign(savers=results.trials["savers"].fillna(asked))
    kept, notes = select(trials, SAVERS)
    points = strong(kept, SAVERS)
    tuned = points[points["strategy"] != Sequential.name].astype({"savers": "Int64"})
    shown = tuned[["strategy", "workers", "savers"]].copy()
    for name in ("wall_s", "speedup"):
        shown[MEASURES[name].head] = [measure_text(point, name) for point in tuned.to_dict("records")]
    yield "table", [plain_table(TITLE, public(points), [*repetition_notes(tuned), *notes], shown)]
    if (tuned["savers"].notna() & (tuned["status"] == OK)).any():
        yield "time", savers_figure(tuned.dropna(subset="savers"))


@style.styled
def savers_figure(points: pd.DataFrame) -> Figure:
    """Time against the number of savers, a line per worker count."""
    figure, panels = style.saving_panels(points, TITLE)
    counts = sorted(points["workers"].unique())
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(counts)))
    for axes, block in panels:
        for workers, shade in zip(counts, shades, strict=True):
            curve = block[block["workers"] == workers]
            style.curve(axes, curve, "wall_s", f"{workers} workers", x="savers", color=shade, marker="o")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("savers")
    style.finish(figure, "wall_s")
    return figure
