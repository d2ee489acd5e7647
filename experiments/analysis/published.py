"""The published study's printed tables in the shape of trials, and the laws of scaling fitted to them.

Source: T. Botarelli, "Image Augmentation with Python Multiprocessing", Università degli Studi di Firenze,
23/04/2025. Its seconds are right; docs/study.md corrects twelve printed speedups. The laws:

    Amdahl 1967:        1 / S = 1 / P + s (1 - 1 / P)
    USL, Gunther 1993:  1 / S = 1 / P + sigma (1 - 1 / P) + kappa (P - 1)

In 1 / S both are linear in parameters that are never negative, so least squares has a single minimum.
Residuals are relative, because in seconds the smallest worker counts would outweigh all others. A fit
describes the means of a curve; no interval tells how far another curve of the machine would differ.
"""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from augment.strategies.pool import P1, P2, PQ
from experiments.analysis.scaling import strong, weak
from experiments.analysis.select import STRONG, WEAK
from experiments.analysis.statistics import Array
from experiments.store.columns import NOT_APPLICABLE, OK
from experiments.store.files import PUBLISHED

POINTS = {"strong_scaling": (strong, STRONG), "weak_scaling": (weak, WEAK)}
TASKS = 1000  # of each execution: 100 augmentations of each of 10 images
STRATEGIES, MEASURES = (P1.name, PQ.name, P2.name), ("wall_s", "speedup", "efficiency")
COLUMNS = [f"{strategy}_{measure}" for strategy in STRATEGIES for measure in MEASURES]  # of `layout`
QUANTITIES = [  # of the laws
    *("Amdahl_s", "Amdahl_off_by"),
    *("USL_sigma", "USL_kappa", "USL_peak_workers", "USL_peak_speedup", "USL_off_by"),
]


def trials(experiment: str) -> pd.DataFrame:
    """Return the printed seconds of an experiment as trials; a dash, P_Q not saving, is `not_applicable`."""
    printed = pd.read_csv(PUBLISHED / f"{experiment}.csv").assign(sweep="published", round=0, tasks=TASKS)
    status = printed["wall_s"].isna().map({False: OK, True: NOT_APPLICABLE})
    return printed.assign(peak_rss_bytes=float("nan"), status=status)


@cache
def points(experiment: str) -> pd.DataFrame:
    """Return the points of the printed seconds; their intervals, which are not printed, are NaN."""
    return POINTS[experiment][0](trials(experiment))


@cache
def claims() -> dict[str, dict[str, Any]]:
    """Return the study's claims by name, in its order.

    A claim says that its quantities lie between `low` and `high`; machines with `min_cpus` show it. The
    other columns are words: the `make` target that measures it, and what the study printed.
    """
    by_name: Any = pd.read_csv(PUBLISHED / "claims.csv", index_col="name").to_dict("index")
    return dict(by_name)


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


def fit(workers: Array, speedup: Array) -> dict[str, float]:
    """Return QUANTITIES for speedups at worker counts above 1; `off_by` is the rms of relative residuals."""
    terms, missing = np.array([1 - 1 / workers, workers - 1]).T * speedup[:, None], 1 - speedup / workers
    (serial,), amdahl_norm = nnls(terms[:, :1], missing)
    (sigma, kappa), usl_norm = nnls(terms, missing)
    rise, fall = np.sqrt(max(1 - sigma, 0)), np.sqrt(kappa)
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0: neither a rise nor a fall
        peak = np.fmax(rise / fall, 1), 1 / (1 - max(rise - fall, 0) ** 2)
    off_by = np.array([amdahl_norm, usl_norm]) / np.sqrt(len(workers))
    return dict(zip(QUANTITIES, map(float, (serial, off_by[0], sigma, kappa, *peak, off_by[1])), strict=True))


def fit_laws() -> pd.DataFrame:
    """Return a row of QUANTITIES for each parallel strategy of the study, and the `workers` fitted."""
    strong_points = points("strong_scaling")
    curves = strong_points[strong_points["workers"] > 1].dropna(subset="speedup")
    groups: Any = curves.sort_values("workers").groupby(["saving", "strategy"])
    rows = [
        {"saving": saving, "strategy": strategy, "workers": ", ".join(curve["workers"].astype(str))}
        | fit(curve["workers"].to_numpy(float), curve["speedup"].to_numpy(float))
        for (saving, strategy), curve in groups
    ]
    return pd.DataFrame(rows)
