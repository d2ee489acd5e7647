"""The fitted laws as tables, in words and in charts: none is drawn without its band."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from experiments.analysis import published
from experiments.analysis.law_cases import cases
from experiments.analysis.scaling import strong
from experiments.records.schema import FAILED
from experiments.report.output import FORMATS
from experiments.report.sections.law_tables import law_tables
from experiments.report.sections.laws import laws_figure
from experiments.report.style import look
from tests.frames import Row, frame, repeated, trial
from tests.reports import shown, stored

STUDY = published.points("strong_scaling")
BASE = trial("sequential", 1, 10.0)
TIMES = {2: 5.5, 4: 3.25, 8: 2.125, 16: 5.0}  # Amdahl with s = 0.1 up to 8 CPUs, then a collapse
POINTS = strong(frame([BASE, *(trial("p1", workers, wall_s) for workers, wall_s in TIMES.items())]))


def test_the_serial_fraction_has_a_column_for_each_strategy() -> None:
    # P_1, saving, 2 workers: S = 82.07 / 43.72; e = (43.72 / 82.07 - 0.5) / 0.5 = 0.06543
    table = law_tables(cases(STUDY), "Published")[1]

    assert table.columns[:2] == ["workers", "saving\nP_1"]
    assert table.rows[0] == ["2", "0.065", "1.143", "0.147", "0.290", "0.291"]


def test_published_p1_disagrees_with_itself_beyond_what_was_measured() -> None:
    (note,) = [each for each in law_tables(cases(STUDY), "T")[0].notes if each.startswith("P_1, saving")]

    assert "fitted to 2, 4, 8, 16, 32, 64 workers; Amdahl is off by 20 %; USL is off by 11 %" in note
    assert note.endswith("they disagree.")


@pytest.mark.parametrize(
    ("cpus", "words"),
    [
        (8, "fitted to 2, 4, 8 workers, not to 16, which share 8 usable CPUs"),
        (4, "fitted to 2, 4, 8, 16 workers, though beyond 4 they share the usable CPUs"),
        (None, "fitted to 2, 4, 8, 16 workers; "),
    ],
)
def test_a_note_says_to_which_counts_a_law_is_fitted(cpus: int | None, words: str) -> None:
    assert words in law_tables(cases(POINTS, cpus), "T", cpus)[0].notes[-1]


def test_two_counts_are_not_fitted_and_a_note_says_so() -> None:
    points = strong(frame([BASE, trial("p1", 1, 10.0), trial("p1", 2, 6.0), trial("p1", 4, 4.0)]))
    table, fractions = law_tables(cases(points), "T")

    assert table.rows == [["yes", "P_1"]]
    assert table.notes == ["P_1, saving: not fitted; 2 of 3 counts or more beyond 1 have a speedup."]
    assert fractions.rows == [["2", "0.200"], ["4", "0.200"]]


@pytest.mark.parametrize("rows", [[BASE], [trial("p1", 2, None, status=FAILED)], [trial("p1", 2, 5.0)]])
def test_points_without_any_speedup_are_no_error(rows: list[Row]) -> None:
    (table,) = law_tables(cases(strong(frame(rows))), "T")

    assert all("not fitted; 0 of" in note for note in table.notes)
    assert all(render([table]) for render in FORMATS.values())


def test_the_table_is_long_in_csv_and_aligned_in_text() -> None:
    tables = law_tables(cases(STUDY), "Published")
    data = pd.concat([table.data for table in tables])

    assert set(data["law"]) == {"Amdahl", "USL", "Karp-Flatt"}
    assert len(data) == 5 * (3 + 5 + 6)
    assert "22 (17 to 46)" in tables[0].text()
    assert tables[0].rows[4][:3] == ["no", "P_Q", "-"]


def drawn_to(axes: Axes, color: str) -> float:
    """How far right any line of that colour goes."""
    ends = [np.max(line.get_xdata()) for line in axes.lines if to_hex(line.get_color()) == color.lower()]
    return float(max(ends))


def bands(axes: Axes, color: str) -> list[tuple[float, float]]:
    """Where each shade of that colour begins and ends."""
    edges = []
    for shade in axes.collections:
        faces = np.asarray(shade.get_facecolor(), dtype=float)
        if len(faces) and shade.get_alpha() and to_hex((*faces[0][:3],)) == color.lower():
            x = np.concatenate([np.asarray(path.vertices, dtype=float)[:, 0] for path in shade.get_paths()])
            edges.append((float(x.min()), float(x.max())))
    return edges


@pytest.fixture(scope="module")
def study() -> Figure:
    return laws_figure(STUDY, cases(STUDY), "Published")


def test_beyond_the_fit_every_curve_has_a_band(study: Figure) -> None:
    assert [axes.get_title() for axes in study.axes] == ["saving", "no saving"]
    for axes in study.axes:
        for color in (look("p1")["color"], look("p2")["color"]):
            assert drawn_to(axes, color) == pytest.approx(256)
            assert bands(axes, color) == [pytest.approx((64, 256))] * 2  # of Amdahl and of USL


def test_a_poor_fit_is_not_drawn_beyond_its_points(study: Figure) -> None:
    assert drawn_to(study.axes[0], look("pq")["color"]) == pytest.approx(64)
    assert bands(study.axes[0], look("pq")["color"]) == []


def test_the_report_of_a_scaling_experiment_shows_its_laws(tmp_path: Path) -> None:
    rows = [BASE, *(row for workers, wall_s in TIMES.items() for row in repeated("p1", workers, wall_s))]
    tables, figures = shown(stored(tmp_path, trials=rows), "laws")

    assert (list(tables), list(figures)) == (["laws"], ["laws"])
    assert tables["laws"][0].title == "Strong scaling, laws"
    assert figures["laws"].axes[0].get_ylabel() == "speedup"
