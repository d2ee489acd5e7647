"""Charts: what a reader finds on them. The figures are inspected, not compared by pixels."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from augment.strategies import STRATEGIES
from experiments.analysis import published
from experiments.analysis.scaling import strong, weak
from experiments.report.charts import BEYOND, CEILING, GREY, LOOKS, PUBLISHED, Chart, look, rate_figure
from experiments.report.sections.diagnose import BARS
from experiments.report.sections.scaling import scaling_figure
from experiments.report.texts import caption
from experiments.store.columns import FAILED
from tests.helpers.trial_rows import frame, repeated, trial

pytestmark = pytest.mark.once
TRIALS = frame(
    row
    for saving in (True, False)
    for row in [
        *repeated("sequential", 1, 10.0, 10.0, saving=saving),
        *repeated("p1", 2, 5.0, 7.2, saving=saving),  # 6 in the geometric mean
        trial("p1", 4, 3.0, saving=saving),
        *repeated("p2", 2, 7.2, 5.0, saving=saving),
        trial("p2", 4, None, status=FAILED, saving=saving),
        *repeated("copies", 2, 4.5, 4.5, saving=saving),
        *repeated("copies", 4, 2.4, 2.4, saving=saving),
    ]
)
POINTS = strong(TRIALS)


def chart(measure: str = "speedup") -> Figure:
    """Draw TRIALS beside the study's points on a machine of 8 CPUs."""
    study = published.points("strong_scaling")
    return scaling_figure(measure, POINTS, study, cpus=8)


def test_labels_of_close_worker_counts_do_not_overlap() -> None:
    counts = range(2, 17, 2)
    points = strong(frame(row for count in counts for row in repeated("p1", count, 1.0, 1.0)))
    figure = scaling_figure("speedup", points.assign(speedup=1.0), published.points("strong_scaling"), cpus=8)
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels == ["1", "2", "4", "6", "8", "", "12", "", "16", "32", "64"]
    figure.draw_without_rendering()
    boxes = [tick.get_window_extent() for tick in figure.axes[0].get_xticklabels() if tick.get_text()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def line(axes: Axes, name: str) -> Line2D:
    """Return the curve or line of that name in the legend."""
    handles, names = axes.get_legend_handles_labels()
    handle: Any = dict(zip(names, handles, strict=True))[name]
    found = handle if isinstance(handle, Line2D) else handle.lines[0]
    assert isinstance(found, Line2D)
    return found


def heights(axes: Axes, name: str) -> list[float]:
    """Return where that line lies above each of its worker counts."""
    return [float(y) for y in np.asarray(line(axes, name).get_ydata())]


@pytest.mark.parametrize(
    ("measure", "label", "ideal", "p1"),
    [
        ("speedup", "speedup", [1.0, 2.0, 4.0], [10 / 6, 10 / 3]),
        ("efficiency", "efficiency (%)", [1.0, 1.0, 1.0], [5 / 6, 2.5 / 3]),
    ],
)
def test_chart_of_scaling_shows_points_ideal_and_legend(
    measure: str, label: str, ideal: list[float], p1: list[float]
) -> None:
    figure = chart(measure)
    assert [axes.get_title() for axes in figure.axes] == ["saving", "no saving"]
    assert figure.axes[0].get_ylabel() == label
    for axes in figure.axes:
        assert axes.get_xlabel() == "workers"
        assert heights(axes, "ideal") == pytest.approx(ideal)
        assert heights(axes, "P_1") == pytest.approx(p1)
        for strategy, name in (
            ("sequential", "sequential"),
            ("p1", "P_1"),
            ("p2", "P_2"),
            ("copies", CEILING),
        ):
            assert to_hex(line(axes, name).get_color()) == look(strategy)["color"].lower()
    names = [entry.get_text() for entry in figure.legends[0].get_texts()]
    assert names[3:] == ["ideal", CEILING, BEYOND, "no interval", PUBLISHED]


def test_workers_are_integers_on_a_binary_axis() -> None:
    axes = chart().axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4", "8", "16", "32", "64"]


def test_strategies_have_distinct_colours_and_an_unknown_one_is_grey() -> None:
    assert len({look(name)["color"] for name in STRATEGIES}) == len(STRATEGIES)
    assert {*LOOKS} <= {*STRATEGIES}
    assert look("p1") == {"color": "#0072B2", "marker": "o"}
    assert look("claim")["color"] == GREY


def test_error_bars_are_intervals_and_a_hollow_point_has_none() -> None:
    axes = chart().axes[0]
    (bars,) = [each for each in axes.containers if each.get_label() == "P_1"]
    assert isinstance(bars, ErrorbarContainer)
    (segments,) = bars.lines[2]
    ends: Any = segments.get_segments()
    p1 = POINTS[(POINTS["strategy"] == "p1") & (POINTS["workers"] == 2) & POINTS["saving"]]
    interval = p1[["speedup_low", "speedup_high"]].to_numpy()[0]
    assert [float(y) for _, y in ends[0]] == pytest.approx(interval)
    assert [float(y) for _, y in ends[1]] == pytest.approx([10 / 3, 10 / 3])
    drawn = [each for each in axes.lines if each.get_markerfacecolor() == "white"]
    hollow = [float(y) for each in drawn for y in np.asarray(each.get_ydata())]
    assert hollow == pytest.approx([10 / 3])


def test_ceiling_is_a_level_line_from_the_most_copies_on() -> None:
    levels = heights(chart().axes[0], CEILING)
    assert levels == pytest.approx([10 / 4.5, 10 / 2.4, 10 / 2.4]), "of 2 copies, of 4, and level from there"


def test_axis_of_speedup_ends_at_twice_the_largest_of_data_and_study() -> None:
    assert chart().axes[0].get_ylim()[1] == pytest.approx(2 * 76.37 / 9.88), "the study's at 32 ranks"


def test_wide_interval_does_not_squeeze_the_efficiencies() -> None:
    study, points = published.points("strong_scaling"), POINTS.assign(efficiency_high=9.0)
    figure = scaling_figure("efficiency", points, study, cpus=8)
    largest = max(points["efficiency"].max(), study["efficiency"].max())
    assert figure.axes[0].get_ylim() == pytest.approx((0, 1.3 * largest))


def test_worker_counts_above_the_cpus_stand_on_a_named_ground() -> None:
    names = [axes.get_legend_handles_labels()[1] for axes in chart().axes]
    assert all(BEYOND in each for each in names), "the study's 64 on 8 CPUs"
    points = POINTS[POINTS["saving"]]
    assert BEYOND not in rate_figure(points, 8).axes[0].get_legend_handles_labels()[1]
    assert BEYOND in rate_figure(points, 3).axes[0].get_legend_handles_labels()[1]


def test_chart_of_rates_has_the_memory_below_and_rings_what_is_recommended() -> None:
    points = POINTS.assign(
        runtime="fast",
        peak_rss_bytes=3e6,
        recommended=(POINTS["strategy"] == "p1") & (POINTS["workers"] == 2) & POINTS["saving"],
    )
    figure = rate_figure(points, 8)
    rate, _, memory, _ = figure.axes
    assert heights(rate, "P_1, fast") == pytest.approx([1000 / 6, 1000 / 3])
    assert [axes.get_ylabel() for axes in (rate, memory)] == ["augmented images/s", "peak memory (MB)"]
    assert memory.yaxis.get_major_formatter()(3e6) == "3"
    assert [axes.texts[0].get_text() for axes in figure.axes if axes.texts] == ["recommended"]
    named: Any = rate.texts[0]
    assert named.xy[1] == pytest.approx(1000 / 6)


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours by WCAG 2: 1 of equal ones, 21 of black and white."""
    linear = [
        [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        for color in (a, b)
    ]
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in linear)
    return (light + 0.05) / (dark + 0.05)


def test_marks_differ_from_light_and_dark_ground() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    colors = {GREY, *(color for color, _ in LOOKS.values()), *(color for _, color in BARS.values())}
    for color in colors - {"#000000"}:  # the page draws black in the colour of its text
        assert min(contrast(color, "#ffffff"), contrast(color, "#15181c")) >= 3, color


@pytest.mark.parametrize("flags", [(True,), (True, False)])
def test_legend_is_no_wider_than_the_figure(flags: tuple[bool, ...]) -> None:
    points = strong(TRIALS[TRIALS["saving"].isin(flags)])
    figure = scaling_figure("speedup", points, published.points("strong_scaling"), cpus=8)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_weak_scaling_has_a_work_normalised_efficiency() -> None:
    rows = [trial("sequential", 1, 4.0, width=100, height=100), trial("p1", 2, 5.0, width=200, height=100)]
    study = published.points("weak_scaling")
    figure = scaling_figure("normalised_efficiency", weak(frame(rows)), study, cpus=8)
    assert figure.axes[0].get_ylabel() == "work-normalised efficiency (%)"


def test_same_points_make_the_same_svg_and_a_png(tmp_path: Path) -> None:
    first, second = (Chart(chart(), POINTS, "T", "x" * 200).save(tmp_path / name) for name in ("a", "b"))
    assert [path.suffix for path in first] == [".png", ".svg"]
    assert first[1].read_bytes() == second[1].read_bytes()
    with Image.open(first[0]) as png:
        assert png.width > 1400, "sharp when printed"


def test_caption_says_what_a_chart_rests_on() -> None:
    rows = [*repeated("sequential", 1, 9.0, 8.0, 9.0, tasks=80), *repeated("p1", 2, 5.0, 6.0, tasks=80)]
    failed = trial("p1", 2, None, status=FAILED, tasks=None, round=2, machine="m2")
    trials = frame([*rows, failed])
    assert caption(trials) == "2 to 3 rounds of 80 augmented images each, 2000x1000, m1"
    trials["git_commit"] = ["0123456789ab"] * 5 + [None]
    trials.loc[0, "tasks"] = 1000
    text = "2 to 3 rounds of 80 to 1,000 augmented images each, 2000x1000, m1, commit 0123456"
    assert caption(trials) == text
    assert caption(trials[trials["status"] == FAILED]) == "no trial was measured"


def test_saved_chart_has_its_caption_and_the_figure_of_the_page_only_its_title(tmp_path: Path) -> None:
    whole = Chart(chart(), POINTS, "a title", "a caption")
    whole.save(tmp_path / "chart")
    assert [text.get_text() for text in whole.figure.texts] == ["a title"]
    assert "a caption" in (tmp_path / "chart.svg").read_text(encoding="utf-8")


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    chart()
    assert dict(mpl.rcParams) == before
