"""The published study's printed tables in the shape of trials.

Source: T. Botarelli, "Image Augmentation with Python Multiprocessing", Università degli Studi di Firenze,
23/04/2025. Its seconds are right; docs/study.md corrects twelve printed speedups.
"""

from functools import cache

import pandas as pd

from augment.strategies.pool import P1, P2, PQ
from experiments.analysis.scaling import strong, weak
from experiments.analysis.select import STRONG, WEAK
from experiments.store.columns import NOT_APPLICABLE, OK
from experiments.store.files import PUBLISHED

POINTS = {"strong_scaling": (strong, STRONG), "weak_scaling": (weak, WEAK)}
TASKS = 1000  # of each execution: 100 augmentations of each of 10 images
STRATEGIES, MEASURES = (P1.name, PQ.name, P2.name), ("wall_s", "speedup", "efficiency")
COLUMNS = [f"{strategy}_{measure}" for strategy in STRATEGIES for measure in MEASURES]  # of `layout`


def trials(experiment: str) -> pd.DataFrame:
    """Return the printed seconds of an experiment as trials; a dash, P_Q not saving, is `not_applicable`."""
    printed = pd.read_csv(PUBLISHED / f"{experiment}.csv").assign(sweep="published", round=0, tasks=TASKS)
    return printed.assign(
        peak_rss_bytes=float("nan"), status=printed["wall_s"].isna().map({False: OK, True: NOT_APPLICABLE})
    )


@cache
def points(experiment: str) -> pd.DataFrame:
    """Return the points of the printed seconds; their intervals, which are not printed, are NaN."""
    return POINTS[experiment][0](trials(experiment))


def layout(measured: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Return points in the layout of the study's tables, `here` and of the `study` in turns.

    A row per saving flag, worker count, image size (weak scaling) and `source` has `ideal_s` and the columns
    COLUMNS of the strategies. Seconds are those of TASKS augmented images.
    """
    sides = pd.concat([measured.assign(source="here"), points(experiment).assign(source="study")])
    times = TASKS / sides["tasks"]
    sides["wall_s"], sides["ideal_s"] = sides["wall_s"] * times, sides["ideal_s"] * times
    rows = ["saving", "workers", *(name for name in ("width", "height") if name in sides), "source"]
    of_study = sides[sides["strategy"].isin(STRATEGIES)]
    wide = of_study.pivot(index=rows, columns="strategy", values=[name for name in MEASURES if name in sides])
    wide.columns = wide.columns.map(lambda pair: f"{pair[1]}_{pair[0]}")
    ideals = sides.groupby(rows)[["ideal_s"]].max()
    return ideals.join(wide.reindex(columns=[name for name in COLUMNS if name in wide])).reset_index()
