"""The bench: every strategy relative to the ceiling, on every workload."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis.scaling import WORKLOAD, bench_points
from experiments.report import texts
from experiments.report.charts import GREY, WIDTH_INCHES, Chart, legend, look, styled
from experiments.report.results import Results
from experiments.report.sections import Outputs, section
from experiments.report.tables import NOW, applicable, measure_columns, text_table
from experiments.store.columns import OK

MARKERS = "o^sD"  # of pipelines
NOTE = (
    "Of the ceiling: time of `copies` under the same runtime / time of the strategy. Above 100 %, the "
    "strategy does less work than the copies, or the machine changed."
)


@section("bench", chapter="The bench", order=40)
def bench(results: Results) -> Outputs:
    """Yield a row per point, the strategies of a workload together."""
    points, kept, left_out = bench_points(results.trials, results.parts)
    shown, _ = applicable(points)
    ordered = shown.sort_values([*WORKLOAD, "runtime_name"], kind="stable")
    sizes = ordered["width"].map("{:.0f}x".format) + ordered["height"].map("{:.0f}".format)
    ordered = ordered.assign(size=sizes.replace("nanxnan", "native"), runtime=ordered["runtime_name"])
    columns = measure_columns(("images_per_s", "ceiling_share", "peak_rss_bytes"))
    reasons = points[points["status"] != OK].drop_duplicates(["strategy", "error"])
    notes = [f"{texts.label(row['strategy'])}: {row['error']}." for row in reasons.to_dict("records")]
    notes += [NOTE, NOW, *map(texts.left_out_note, left_out)]
    keys = ["pipeline", "size", "saving", "strategy", "workers", "runtime"]
    saved = points[points["saving"]].dropna(subset="ceiling_share")
    if len(saved):
        title = "Share of the machine's ceiling, with saving"
        is_several = saved.duplicated(["strategy", "pipeline", "runtime_name"]).any()
        end = ". Of several sizes or worker counts: median and range" if is_several else ""
        caption = texts.caption(kept[kept["saving"]]) + end
        yield "ceiling_share", Chart(share_figure(saved), saved, title, caption)
    yield "table", text_table("Every strategy on every workload", ordered, keys, columns, notes)


@styled
def share_figure(points: pd.DataFrame) -> Figure:
    """Draw each strategy's share of the ceiling in a panel per runtime, a mark per pipeline.

    A mark is the median over image sizes, its line their range. The best strategy stands first.
    """
    rows = list(points.groupby("strategy")["ceiling_share"].median().sort_values(ascending=False).index)
    runtimes, pipelines = (sorted({*points[name]}) for name in ("runtime_name", "pipeline"))
    figure = Figure(figsize=(WIDTH_INCHES, 1.4 + 0.34 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len(runtimes), squeeze=False, sharey=True, sharex=True).flat
    for axes, runtime in zip(panels, runtimes, strict=True):
        axes.set_title(f"runtime={runtime}")
        axes.axvline(100, color=GREY, linewidth=1)
        for number, pipeline in enumerate(pipelines):
            chosen = points[(points["runtime_name"] == runtime) & (points["pipeline"] == pipeline)]
            ends = 100 * chosen.groupby("strategy")["ceiling_share"].quantile([0, 0.5, 1]).unstack()
            shift = 0.6 * ((number + 0.5) / len(pipelines) - 0.5)
            for name, (low, middle, high) in ends.iterrows():
                line: Any = look(str(name)) | {"marker": MARKERS[number % len(MARKERS)]}
                reach = [[middle - low], [high - middle]]
                axes.errorbar(middle, rows.index(name) + shift, xerr=reach, linewidth=1.6, **line)
            axes.plot([], [], MARKERS[number % len(MARKERS)], color=GREY, label=f"pipeline={pipeline}")
        axes.set_xlabel("share of the ceiling (%)")
        axes.set_yticks(range(len(rows)), [texts.label(name) for name in rows])
    figure.axes[0].set_xlim(left=0)
    figure.axes[0].invert_yaxis()
    legend(figure)
    return figure
