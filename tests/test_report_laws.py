"""The fitted laws as tables, in words and in charts: none is drawn without its band."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.laws import Case, cases
from experiments.analysis.scaling import WEAK, models, strong, weak
from experiments.records.schema import FAILED
from experiments.report.output import FORMATS
from experiments.report.sections.laws import laws_figure, laws_table
from experiments.report.style import look
from tests.helpers.stored_results import shown, stored
from tests.helpers.trial_rows import Row, frame, repeated, trial

STUDY = cases(published.points("strong_scaling"), published.models("strong_scaling"))
BASE = trial("sequential", 1, 10.0)
TIMES = {2: 5.5, 3: 4.0, 4: 3.25, 6: 2.5, 8: 2.125, 16: 5.0}  # Amdahl with s = 0.1 on 8 CPUs, then a collapse


def measured(rows: list[Row], cpus: int | None = None) -> list[Case]:
    trials = frame(rows)
    return cases(strong(trials), models(trials), cpus)


@pytest.mark.parametrize(
    ("cpus", "words"),
    [
        (8, "fitted to 2, 3, 4, 6, 8 workers; Amdahl is off by 0 %"),
        (4, "fitted to 2, 3, 4, 6, 8, 16 workers"),
    ],
)
def test_a_note_says_to_which_counts_a_law_is_fitted_and_how_well(cpus: int, words: str) -> None:
    rows = [BASE, *(trial("p1", workers, wall_s) for workers, wall_s in TIMES.items())]

    assert words in laws_table(measured(rows, cpus), "T").notes[-1]


def test_two_counts_are_not_fitted_and_a_note_says_so() -> None:
    table = laws_table(measured([BASE, trial("p1", 2, 6.0), trial("p1", 4, 4.0)]), "T")

    assert table.rows == [["yes", "P_1"]]
    assert table.notes[-1] == "P_1, saving: not fitted; 2 speedups beyond 1 worker known, 5 needed."


@pytest.mark.parametrize("rows", [[BASE], [trial("p1", 2, None, status=FAILED)], [trial("p1", 2, 5.0)]])
def test_points_without_any_speedup_are_no_error(rows: list[Row]) -> None:
    table = laws_table(measured(rows), "T")

    assert all(render([table]) for render in FORMATS.values())


def test_the_table_is_long_in_csv_and_aligned_in_text() -> None:
    table = laws_table(STUDY, "Published")

    assert list(table.data) == ["saving", "strategy", "law", "quantity", "value", "low", "high"]
    assert len(table.data) == 5 * (1 + 4)  # P_Q has no laws without saving
    assert "22 (17.2–44)" in table.text()
    assert "45.7 (23.8–∞)" in table.text()
    assert table.rows[4][:3] == ["no", "P_Q", "-"]
    assert (
        "P_1, saving: fitted to 2, 4, 8, 16, 32, 64 workers; Amdahl is off by 20 %, USL is off by 11 %."
        in (table.notes)
    )


def drawn_to(axes: Axes, color: str) -> float:
    """How far right any line of that colour goes."""
    ends = [np.max(line.get_xdata()) for line in axes.lines if to_hex(line.get_color()) == color.lower()]
    return float(max(ends))


def bands(axes: Axes, color: str) -> list[tuple[float, float]]:
    """Where each shade of that colour begins and ends."""
    edges = []
    for shade in axes.collections:
        faces = np.asarray(shade.get_facecolor(), dtype=float)
        if len(faces) and to_hex((*faces[0][:3],)) == color.lower():
            x = np.concatenate([np.asarray(path.vertices, dtype=float)[:, 0] for path in shade.get_paths()])
            edges.append((float(x.min()), float(x.max())))
    return edges


@pytest.fixture(scope="module")
def study() -> Figure:
    return laws_figure(STUDY, "Published")


def test_beyond_the_fit_every_curve_has_a_band(study: Figure) -> None:
    assert [axes.get_title() for axes in study.axes] == ["saving", "no saving"]
    for axes in study.axes:
        for color in (look("p1")["color"], look("p2")["color"]):
            assert drawn_to(axes, color) == pytest.approx(256)
            assert bands(axes, color) == [pytest.approx((64, 256))] * 2  # of Amdahl and of USL


def test_the_axis_of_weak_scaling_is_the_scaled_speedup() -> None:
    rows = []
    for workers in (1, 2, 4, 8, 16, 32):
        size = {"width": 100 * workers, "height": 100}
        rows += [trial("sequential", 1, 4.0 * workers, **size), trial("p1", workers, 5.0, **size)]
    trials = frame(rows)
    figure = laws_figure(cases(weak(trials), models(trials, WEAK)), "Weak")

    assert figure.axes[0].get_ylabel() == "scaled speedup"


def test_the_report_of_a_scaling_experiment_shows_its_laws(tmp_path: Path) -> None:
    rows = [BASE, *(row for workers, wall_s in TIMES.items() for row in repeated("p1", workers, wall_s))]
    tables, figures = shown(stored(tmp_path, trials=rows), "laws")

    assert (list(tables), list(figures)) == (["laws"], ["laws"])
    assert [table.title for table in tables["laws"]] == ["Strong scaling, laws"]
    assert figures["laws"].axes[0].get_ylabel() == "speedup"
