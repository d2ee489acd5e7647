"""The fitted laws as tables, in words and in charts."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from experiments.analysis import published
from experiments.analysis.laws import FittedLaws, fit_laws
from experiments.analysis.scaling import models, strong
from experiments.analysis.select import NoTrialsError
from experiments.report.charts import look
from experiments.report.results import Results
from experiments.report.sections.scaling import laws_figure, laws_table
from tests.helpers.stored_results import shown, stored
from tests.helpers.trial_rows import frame, trial

STUDY = fit_laws(published.points("strong_scaling"), published.models("strong_scaling"))
BASE = trial("sequential", 1, 10.0)
TIMES = {2: 5.5, 3: 4.0, 4: 3.25, 6: 2.5, 8: 2.125, 16: 5.0}  # Amdahl with s = 0.1 on 8 CPUs, then a collapse


def measured(cpus: int) -> list[FittedLaws]:
    trials = frame([BASE, *(trial("p1", workers, wall_s) for workers, wall_s in TIMES.items())])
    return fit_laws(strong(trials), models(trials), cpus)


def test_note_says_to_which_counts_a_law_is_fitted_and_how_well() -> None:
    note = laws_table(measured(cpus=8), "T").notes[-1]
    assert note.startswith("P_1, saving: fitted to 2, 3, 4, 6, 8 workers; Amdahl is off by 0 %")


def test_table_is_long_in_csv_and_aligned_in_text() -> None:
    table = laws_table(STUDY, "Published")
    assert list(table.data) == ["saving", "strategy", "law", "quantity", "value", "low", "high"]
    assert len(table.data) == 5 * (1 + 4)  # P_Q has no laws without saving
    assert "22 (17.2–44)" in table.text()
    assert "45.7 (23.8–∞)" in table.text()
    assert (
        "P_1, saving: fitted to 2, 4, 8, 16, 32, 64 workers; Amdahl is off by 20 %, USL is off by 11 %."
        in (table.notes)
    )


def drawn_to(axes: Axes, color: str) -> float:
    """Return how far right any line of that colour goes."""
    ends = [
        np.asarray(line.get_xdata(), float).max()
        for line in axes.lines
        if to_hex(line.get_color()) == color.lower()
    ]
    return float(max(ends))


def test_curve_ends_where_its_points_do() -> None:
    (axes,) = laws_figure(measured(cpus=8), "T").axes
    assert drawn_to(axes, look("p1")["color"]) == pytest.approx(8)


def scaled(folder: Path, cpus: int) -> Results:
    """Return a strong scaling with TIMES on a machine of so many CPUs."""
    rows = [BASE, *(trial("p1", workers, wall_s) for workers, wall_s in TIMES.items())]
    return stored(folder, trials=[row | {"usable_cpus": cpus} for row in rows])


def test_report_without_five_counts_within_the_cpus_shows_no_laws(tmp_path: Path) -> None:
    with pytest.raises(NoTrialsError, match="a law needs 5 worker counts from 2 to the 4 usable CPUs"):
        shown(scaled(tmp_path, cpus=4), "laws")
