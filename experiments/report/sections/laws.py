"""The laws of Amdahl and Gunther (USL) fitted to measured speedups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.laws import AMDAHL, MIN_COUNTS, FittedLaws, fit_laws
from experiments.analysis.scaling import models
from experiments.analysis.select import NoTrialsError
from experiments.report import charts
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.sections.scaling import points_of
from experiments.report.tables import Table, plain_table
from experiments.report.texts import label, percent, with_interval, with_or_without

COLUMNS = ["saving", "strategy", "law", "quantity", "value", "low", "high"]
NOTES = [
    "Amdahl 1967: 1/S = 1/P + s (1 - 1/P). USL, Gunther 1993: 1/S = 1/P + sigma (1 - 1/P) + kappa (P - 1). "
    "A peak at ∞ workers is a limit.",
    "In parentheses: 95 % intervals of a bootstrap, valid if the law is. It draws the errors of the block "
    "model and, if the law misses the points by more, the residuals.",
    f"Off by: root mean square of the relative residuals. A fit needs {MIN_COUNTS} worker counts from 2 to "
    "the usable CPUs.",
]


@section("strong_scaling", chapter="Strong scaling", order=31)
def laws(results: Results) -> Outputs:
    """Yield the fitted laws. Raises NoTrialsError if the usable CPUs hold too few worker counts."""
    points, trials, _ = points_of(results)
    cpus = int(trials["usable_cpus"].iloc[0])
    fitted = fit_laws(points, models(trials, published.POINTS[results.experiment][1]), cpus)
    if not fitted:
        raise NoTrialsError(f"a law needs {MIN_COUNTS} worker counts from 2 to the {cpus} usable CPUs")
    yield from laws_of(fitted, results.title)


def laws_of(fitted: Sequence[FittedLaws], title: str, stem: str = "laws") -> Outputs:
    """Yield the fitted laws as a table and as a chart."""
    table = laws_table(fitted, f"{title}, laws")
    yield stem, table
    yield stem, charts.Chart(laws_figure(fitted, f"{title}: laws"), table.data)


def laws_table(fitted: Sequence[FittedLaws], title: str) -> Table:
    """Return the parameters of each law per strategy; `data` has a row per parameter."""
    rows, shown = [], pd.DataFrame([case[:2] for case in fitted], columns=COLUMNS[:2])
    for place, case in enumerate(fitted):
        for fit in case.fits:
            for quantity, interval in fit.results().items():
                rows.append([*case[:2], fit.law.name, quantity, *interval])
                text = with_interval(*interval, ".3g").replace("inf", "∞")
                shown.loc[place, f"{fit.law.name}\n{quantity}"] = text
    return plain_table(title, pd.DataFrame(rows, columns=COLUMNS), [*NOTES, *map(_note, fitted)], shown)


def _note(case: FittedLaws) -> str:
    """Return the fitted worker counts and the misfit of each law."""
    counts = ", ".join(map(str, case.fits[0].workers))
    misfits = ", ".join(f"{fit.law.name} is off by {percent(fit.rms_residual)}" for fit in case.fits)
    return f"{label(case.strategy)}, {with_or_without(case.saving)}: fitted to {counts} workers; {misfits}."


@charts.styled
def laws_figure(fitted: Sequence[FittedLaws], title: str) -> Figure:
    """Draw the measured speedups and the curves of their laws, up to the largest worker count."""
    points = pd.concat([case.points for case in fitted])
    figure, panels = charts.saving_panels(points, title)
    for axes, block in panels:
        charts.curves(axes, block, "speedup", linestyle="none")
        for case in fitted:
            if case.saving == block["saving"].iloc[0]:
                at = np.geomspace(1, case.points["workers"].max())
                for fit in case.fits:
                    line: Any = {"linestyle": "--" if fit.law is AMDAHL else "-", "linewidth": 1.5}
                    axes.plot(at, fit.curve(at), color=charts.look(case.strategy)["color"], **line)
                    axes.plot([], [], color=charts.GREY, label=fit.law.name, **line)
        ends = [1, block["workers"].max()]
        charts.ideal_line(axes, ends, ends)
        charts.worker_axis(axes, {1, *points["workers"]}, None)
    charts.measure_axis(figure, "speedup")
    charts.legend(figure)
    return figure
