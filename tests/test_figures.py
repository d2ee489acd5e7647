"""Charts: what a reader finds on them. The figures are inspected, not compared by pixels."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from experiments.analysis import published
from experiments.analysis.scaling import SAVERS, NoTrialsError, strong, weak
from experiments.records.schema import FAILED
from experiments.report.contact_sheet import contact_sheet
from experiments.report.style import PUBLISHED, look, save, savers_figure, scaling_figures
from tests.frames import frame, repeated, trial

TRIALS = frame(
    trial_of
    for saving in (True, False)
    for trial_of in [
        *repeated("sequential", 1, 9.0, 11.0, saving=saving),
        *repeated("p1", 2, 5.0, 7.0, saving=saving),
        trial("p1", 4, 3.0, saving=saving),
        *repeated("p2", 2, 5.0, 6.0, saving=saving),
        trial("p2", 4, None, status=FAILED, saving=saving),
        *repeated("claim", 4, 2.5, 2.6, saving=saving),
    ]
)


@pytest.fixture(scope="module")
def charts() -> dict[str, Figure]:
    return scaling_figures(
        strong(TRIALS), "Strong scaling", published.points("strong_scaling"), usable_cpus=8
    )


def line(axes: Axes, name: str) -> Line2D:
    """The curve or line of that name in the legend."""
    handles, names = axes.get_legend_handles_labels()
    handle: Any = dict(zip(names, handles, strict=True))[name]
    found = handle if isinstance(handle, Line2D) else handle.lines[0]
    assert isinstance(found, Line2D)
    return found


def heights(axes: Axes, name: str) -> list[float]:
    """Where that line lies above each of its worker counts."""
    return [float(y) for y in np.asarray(line(axes, name).get_ydata())]


def test_strong_scaling_has_a_chart_of_each_measure_with_two_panels(charts: dict[str, Figure]) -> None:
    assert list(charts) == ["time", "speedup", "efficiency"]
    for figure in charts.values():
        assert [axes.get_title() for axes in figure.axes] == ["saving", "no saving"]


def test_axes_are_labelled_with_units(charts: dict[str, Figure]) -> None:
    labels = {name: figure.axes[0].get_ylabel() for name, figure in charts.items()}

    assert labels == {"time": "time (s)", "speedup": "speedup", "efficiency": "efficiency (%)"}
    assert {axes.get_xlabel() for figure in charts.values() for axes in figure.axes} == {"workers"}


def test_workers_are_integers_on_a_binary_axis(charts: dict[str, Figure]) -> None:
    axes = charts["time"].axes[0]

    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4", "8", "16", "32", "64"]
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize(
    ("chart", "ideal"),
    [("time", [10.0, 5.0, 2.5]), ("speedup", [1.0, 2.0, 4.0]), ("efficiency", [100.0, 100.0, 100.0])],
)
def test_the_ideal_line_is_there(charts: dict[str, Figure], chart: str, ideal: list[float]) -> None:
    for axes in charts[chart].axes:
        assert heights(axes, "ideal") == ideal


def test_points_lie_where_the_numbers_are(charts: dict[str, Figure]) -> None:
    assert heights(charts["speedup"].axes[0], "P_1") == pytest.approx([10 / 6, 10 / 3])
    assert heights(charts["efficiency"].axes[0], "P_1") == pytest.approx([500 / 6, 250 / 3])


@pytest.mark.parametrize(
    ("strategy", "name"), [("sequential", "sequential"), ("p1", "P_1"), ("p2", "P_2"), ("claim", "claim")]
)
def test_a_strategy_has_one_colour_in_all_charts(charts: dict[str, Figure], strategy: str, name: str) -> None:
    found = {to_hex(line(axes, name).get_color()) for figure in charts.values() for axes in figure.axes}

    assert found == {look(strategy)["color"].lower()}


def test_the_study_s_strategies_have_colours_of_their_own() -> None:
    assert len({look(name)["color"] for name in ("sequential", "p1", "pq", "p2", "claim")}) == 5


def test_single_repetitions_failures_cpus_and_the_study_are_in_the_legend(charts: dict[str, Figure]) -> None:
    for figure in charts.values():
        names = [entry.get_text() for entry in figure.legends[0].get_texts()]
        assert names[-5:] == ["ideal", "CPUs", "one repetition", "failed", PUBLISHED]


def test_weak_scaling_has_its_own_measures() -> None:
    rows = [trial("sequential", 1, 4.0, width=100, height=100), trial("p1", 2, 5.0, width=200, height=100)]

    assert list(scaling_figures(weak(frame(rows)), "Weak")) == ["time", "efficiency", "normalised_efficiency"]


def test_time_against_savers_has_a_line_for_each_worker_count() -> None:
    rows = [trial("pq", workers, 6.0 / savers, savers=savers) for workers in (4, 8) for savers in (1, 2)]
    (axes,) = savers_figure(strong(frame(rows), SAVERS), "Savers").axes

    assert heights(axes, "8 workers") == [6.0, 3.0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("savers", "time (s)")


def test_nothing_to_draw_is_an_error_of_one_line() -> None:
    points = strong(frame([trial("pq", 1, None, status="not_applicable")]))
    with pytest.raises(NoTrialsError, match="nothing to draw"):
        scaling_figures(points, "Strong scaling")


def test_the_same_points_make_the_same_svg_and_a_png(tmp_path: Path) -> None:
    first, second = (
        save(scaling_figures(strong(TRIALS), "Strong scaling")["time"], tmp_path / name)
        for name in ("a", "b")
    )

    assert [path.suffix for path in first] == [".png", ".svg"]
    assert all(path.stat().st_size > 1000 for path in first)
    assert first[1].read_bytes() == second[1].read_bytes()


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    scaling_figures(strong(TRIALS), "Strong scaling")

    assert dict(mpl.rcParams) == before


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Two originals, one of them with brackets in its name, and three augmentations of each."""
    originals = [tmp_path / "a.png", tmp_path / "b[1].jpg"]
    for original in originals:
        Image.new("RGB", (900, 300), "red").save(original)
        for index in range(3):
            Image.new("RGB", (900, 300), "blue").save(
                tmp_path / f"aug_{original.stem}_{index:06d}{original.suffix}"
            )
    return originals


def test_a_contact_sheet_shows_each_original_beside_its_augmentations(
    images: list[Path], tmp_path: Path
) -> None:
    figure = contact_sheet(images, tmp_path, most=2)

    assert [axes.get_title() for axes in figure.axes[:3]] == ["original", "0", "1"]
    assert len(figure.axes) == 6
    assert max(axes.images[0].get_size()[1] for axes in figure.axes) <= 400
    assert figure.get_suptitle() == "2 of 2 images, 2 of 3 augmentations each"


def test_an_original_without_augmentations_is_named(images: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no augmentation of a\.png"):
        contact_sheet(images, tmp_path / "elsewhere")
